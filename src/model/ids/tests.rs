use alloy_primitives::B256;

use super::{EventId, PaymentId};
use crate::model::{Identity, Slot, TransferKey};

/// Computed independently with Python's hashlib and uuid over the documented encodings.
const EVENT: &str = "2b5000b5-db37-8012-8fa5-d03c04f9c946";
const PAYMENT: &str = "pay_aef70abbe835052f004d0523753464cb";
const IDENTITY: &str = "c4d44867feb8fab9b4e6783c9cd4919a502a8d16e7969d09e365abcc200a3925";

#[test]
fn rule_6_what_is_derived_from_a_transfer_never_changes() {
    let key = TransferKey { chain_id: 8453, tx_hash: B256::repeat_byte(0xab), slot: Slot::Log(7) };
    assert_eq!(EventId::of_transfer(&key).to_string(), EVENT);
    assert_eq!(PaymentId::of(&key).as_str(), PAYMENT);
    let identity = Identity::of_transfer("request-network", "request-network", &key);
    assert_eq!(hex::encode(identity.as_bytes()), IDENTITY);
}
