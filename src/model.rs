//! The words of the product as types, shared by every stage.
//!
//! A leaf: nothing here does I/O, reads a clock or depends on a stage.

pub mod claim;
pub mod code;
pub mod event;
pub mod expectation;
pub mod identity;
pub mod ids;
pub mod transfer;
pub mod verdict;

pub use claim::{Basis, Claim, PaymentReference};
pub use code::{Class, Code, Meaning};
pub use event::{EventState, Origin};
pub use expectation::{Accept, Expectation, ExpectationKey, ExpectationState, Rail, Tolerance};
pub use identity::{Identity, Part};
pub use ids::{EventId, PaymentId, WebhookId};
pub use transfer::{Anchor, Sender, Slot, TracePath, TransferKey};
pub use verdict::{Assurance, Check, CheckName, CheckOutcome, Finality, Vote, VoteKind};
