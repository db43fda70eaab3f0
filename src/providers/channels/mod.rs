//! Where people are told: one file per channel.

pub mod slack;
pub mod summary;

use rollgate_domain::notice::Notice;

/// One way to reach people.
#[async_trait::async_trait]
pub trait Channel: Send + Sync {
    /// The name as in the plan.
    fn name(&self) -> &'static str;

    /// Tells them. May be called again for the same notice.
    async fn send(&self, notice: &Notice) -> anyhow::Result<()>;
}
