//! When to look again. Pure: the moment and the jitter arrive as values.

use std::time::Duration;

use chain_config::Chain;

use super::finality::Gap;

/// First wait after a look that said nothing.
pub const FIRST: Duration = Duration::from_secs(1);
/// Longest wait between looks at something undetermined.
pub const LONGEST: Duration = Duration::from_secs(60);
/// Longest wait for confirmations: an estimate may be wrong by so much.
pub const LONGEST_FOR_BLOCKS: Duration = Duration::from_secs(300);
/// What waits for the heads of a chain is looked at after this, should nobody have followed them.
pub const IN_ANY_CASE: Duration = Duration::from_secs(600);
/// Longest wait between searches for a payment that was retracted.
pub const LONGEST_FOR_LOST: Duration = Duration::from_secs(600);
/// What nobody has seen for so long is given up.
pub const GIVE_UP_LOST: Duration = Duration::from_secs(86_400);
/// Shortest wait for confirmations, on chains faster than this.
const SHORTEST_FOR_BLOCKS: Duration = Duration::from_millis(500);
/// Blocks between looks at a tag that has not reached the block.
const TAG_POLL_BLOCKS: u32 = 4;

/// The moment of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since the epoch.
    pub now_us: i64,
    /// 0 to 1000, drawn anew for each look, so that what began together does not stay together.
    pub jitter: u32,
}

impl Moment {
    /// So much later, microseconds since the epoch.
    #[must_use]
    pub fn after(&self, wait: Duration) -> i64 {
        self.now_us.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
    }

    /// Half of the wait is certain, half is drawn.
    fn spread(&self, wait: Duration) -> Duration {
        let half = wait / 2;
        half.saturating_add(half.saturating_mul(self.jitter.min(1000)) / 1000)
    }

    /// 1 s · 2ⁿ with jitter, at most [`LONGEST`].
    #[must_use]
    pub fn backoff(&self, looks: u32) -> i64 {
        let factor = 1_u32.checked_shl(looks.min(16)).unwrap_or(u32::MAX);
        self.after(self.spread(FIRST.saturating_mul(factor).min(LONGEST)))
    }

    /// The same, for something that may take a day.
    #[must_use]
    pub fn slow_backoff(&self, looks: u32) -> i64 {
        let factor = 1_u32.checked_shl(looks.min(16)).unwrap_or(u32::MAX);
        self.after(self.spread(FIRST.saturating_mul(factor).min(LONGEST_FOR_LOST)))
    }

    /// When what is missing should be there, by the chain's block time.
    #[must_use]
    pub fn when_deeper(&self, gap: Gap, chain: &Chain) -> i64 {
        let block = Duration::from_millis(chain.block_time_ms);
        let wait = match gap {
            Gap::None => FIRST,
            Gap::Blocks(missing) => {
                let wait = block.saturating_mul(u32::try_from(missing).unwrap_or(u32::MAX));
                wait.clamp(SHORTEST_FOR_BLOCKS, LONGEST_FOR_BLOCKS)
            }
            Gap::Tag(_) => block.saturating_mul(TAG_POLL_BLOCKS).clamp(FIRST, LONGEST),
        };
        // Looking early is a look wasted: the jitter only adds, a tenth at most.
        self.after(wait.saturating_add((wait / 10).saturating_mul(self.jitter.min(1000)) / 1000))
    }
}

#[cfg(test)]
mod tests;
