//! Nights of standing by, under tokio's paused clock.

use rollgate_domain::rollout::moves::{By, Move};

use super::*;
use crate::operations::tests::{FakeRouter, Office, at, holding};

/// Who has written at `second` for the last time.
fn by(second: i64) -> By<'static> {
    By {
        run: "run 6",
        actor: "octocat",
        at: at(second),
    }
}

/// Stands by while another task writes `moves`, each at its second. How it ended, and when.
async fn stood(moves: Vec<(u64, Move)>) -> (Stood, i64) {
    let router = FakeRouter::new(Some(holding(5)));
    let office = Office::new();
    let (_sender, mut interrupt) = watch::channel(None);
    let writes = async {
        let began = tokio::time::Instant::now();
        for (second, step) in moves {
            tokio::time::sleep_until(began + Duration::from_secs(second)).await;
            let seen = router.read().await.expect("a record");
            let at = i64::try_from(second).expect("a second");
            let after = router.has().after(step, by(at)).expect("a legal move");
            router.write(&seen, &after).await.expect("a write");
        }
        std::future::pending::<()>().await;
    };
    let stood = tokio::select! {
        stood = stand_by(&router, &office.desk, holding(5), &mut interrupt) => stood,
        () = writes => unreachable!("it waits for ever"),
    };
    (stood, office.second())
}

#[tokio::test(start_paused = true)]
async fn the_driver_leaves_and_nobody_watches() {
    // It writes every 15 s, and is killed after the third time.
    let beats = [15, 30, 45].map(|second| (second, Move::Beat)).into();
    let (stood, second) = stood(beats).await;
    assert!(matches!(stood, Stood::In(_)), "{stood:?}");
    assert!((75..=105).contains(&second), "{second}");
}

#[tokio::test(start_paused = true)]
async fn it_stands_by_a_living_driver_until_the_rollout_is_over() {
    let mut moves: Vec<_> = (1..=40).map(|number| (number * 15, Move::Beat)).collect();
    moves.push((610, Move::RollBack("orders fail".to_owned())));
    let (stood, second) = stood(moves).await;
    assert!(matches!(stood, Stood::Down(_)), "{stood:?}");
    assert!((610..=612).contains(&second), "{second}");
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_stays_paused_and_what_is_resumed_is_driven() {
    let moves = vec![
        (10, Move::PauseByHand("over lunch".to_owned())),
        (3600, Move::Resume),
    ];
    let (stood, second) = stood(moves).await;
    let Stood::In(record) = stood else {
        panic!("{stood:?}")
    };
    assert!((3640..=3650).contains(&second), "{second} {record:?}");
}
