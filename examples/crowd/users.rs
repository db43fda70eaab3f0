//! Who asks next, and which version each user met last.

/// Index of a version in the tally.
pub(crate) type Version = u8;

pub(crate) struct Users {
    random: fastrand::Rng,
    /// By user minus one; empty if the crowd has no users.
    users: Vec<User>,
}

#[derive(Clone, Default)]
struct User {
    waits: bool,
    last: Option<Version>,
}

impl Users {
    /// Users 1 to `count`; none at all with 0.
    pub(crate) fn new(count: u32, seed: u64) -> Self {
        let users = vec![User::default(); usize::try_from(count).unwrap_or(usize::MAX)];
        Self {
            random: fastrand::Rng::with_seed(seed),
            users,
        }
    }

    /// A user who waits for no answer: two requests of one user at once could be answered in either
    /// order, and would look like a move between versions.
    pub(crate) fn next(&mut self) -> Option<u32> {
        if self.users.is_empty() {
            return None;
        }
        // Ends: main sees to it that at most half of the users wait.
        loop {
            let drawn = self.random.usize(..self.users.len());
            if !self.users[drawn].waits {
                self.users[drawn].waits = true;
                return u32::try_from(drawn + 1).ok();
            }
        }
    }

    /// Notes the end of `user`'s request; the answer is the version left, if the user has moved.
    ///
    /// An answer without a version (a router's own error, a broken connection) is no move.
    pub(crate) fn answered(&mut self, user: Option<u32>, version: Option<Version>) -> Option<Version> {
        let user = &mut self.users[usize::try_from(user?).ok()? - 1];
        user.waits = false;
        let left = user.last.filter(|last| *last != version.unwrap_or(*last));
        user.last = version.or(user.last);
        left
    }

    /// The users whose last answer came from `version`, rising.
    pub(crate) fn of(&self, version: Version) -> Vec<u32> {
        (1..)
            .zip(&self.users)
            .filter(|(_, user)| user.last == Some(version))
            .map(|(id, _)| id)
            .collect()
    }
}
