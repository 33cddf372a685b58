//! No unverified claim is forwarded as verified, and no doubt is turned into a yes or a no: on a real chain with
//! Request Network's own contracts.

mod attacks;
mod blocks;
mod charges;
mod claimed;
mod histories;
mod hostile;
mod message;
mod refused;
mod reorg;
mod retracted;
mod sums;
mod traced;
mod waiting;
