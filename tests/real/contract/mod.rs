//! What every router promises, kept by each of them against its real part: one set of tests, a bed for each.
//!
//! A bed is a small fresh world of one router ([`beds::Bed`]). One line below lets it keep every promise, each as a
//! test under its own name.

mod promises;

use super::beds;

/// Every promise as a test of its own, on beds of one kind.
macro_rules! contract {
    ($name:ident, $bed:ty) => {
        contract! { @each $name, $bed,
            reading: a_router_without_a_record_is_at_0_and_has_none,
            reading: what_was_written_is_read_back_by_everybody_and_is_what_users_get,
            reading: describing_a_change_touches_nothing,
            reading: shares_it_cannot_give_are_named_and_not_written,
            fencing: a_write_by_an_old_look_is_a_conflict_and_changes_nothing,
            fencing: a_write_of_an_older_generation_is_lost,
            fencing: of_two_writers_at_once_one_wins_and_the_other_is_told,
            fencing: the_same_write_twice_is_the_same_record,
            hands: a_share_changed_by_hand_is_drift_and_a_rollback_overwrites_it,
            hands: a_heartbeat_does_not_undo_a_hand_that_was_faster,
            hands: a_record_edited_by_hand_is_seen_and_a_rollback_overwrites_it,
            hands: a_record_that_is_gone_is_seen_and_a_rollback_writes_a_new_one,
            hands: an_edited_record_still_says_who_the_candidate_was,
            rollouts: a_promotion_moves_no_traffic_and_a_rollback_undoes_it,
            rollouts: the_next_rollout_goes_the_other_way_round,
            rollouts: foreign_things_survive_byte_for_byte,
            rollouts: rules_for_single_users_leave_nothing_behind_not_even_without_the_plan,
            rollouts: a_day_of_heartbeats_leaves_no_trace,
            rollouts: the_tools_find_it_by_the_plan_and_take_it_back,
            rollouts: a_gradual_rollback_ends_at_0_whatever_shares_there_are,
        }
    };
    (@each $name:ident, $bed:ty, $($group:ident: $promise:ident,)+) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    if let Some(bed) = <$bed as $crate::real::beds::Bed>::make() {
                        $crate::real::contract::promises::$group::$promise(&bed).await;
                    }
                }
            )+
        }
    };
}

contract!(on_haproxy, super::beds::haproxy::Haproxy);
contract!(on_istio, super::beds::istio::Istio);
contract!(
    on_a_service_selector,
    super::beds::service_selector::ServiceSelector
);
contract!(on_a_replica_ratio, super::beds::replica_ratio::ReplicaRatio);
contract!(on_nginx, super::beds::nginx::Nginx);
contract!(on_gateway_api, super::beds::gateway_api::GatewayApi);
