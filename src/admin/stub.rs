//! What has to stay of a delivery's event when its bytes go, from the ledger's words into the log's.

use evidence_store::{StubEvent, StubTransfer};

use crate::ledger::{LedgerStub, LedgerTransfer};

/// What the ledger knows, in the log's words.
pub(super) fn event(stub: LedgerStub) -> StubEvent {
    StubEvent {
        event_id: stub.event_id.0,
        identities: stub.identities,
        state_version: stub.state_version,
        state: stub.state.as_str().to_owned(),
        code: stub.code.map(|code| code.as_str().to_owned()),
        payment_id: stub.payment_id,
        transfers: stub.transfers.into_iter().map(transfer).collect(),
        facts: Some(stub.facts.into_bytes().into()),
        expectation_id: stub.expectation_id,
        join: stub.join,
    }
}

fn transfer(transfer: LedgerTransfer) -> StubTransfer {
    StubTransfer {
        chain_id: transfer.chain_id,
        tx_hash: transfer.tx_hash,
        slot: transfer.slot,
        block_hash: transfer.block_hash,
        block_number: transfer.block_number,
        tx_index: transfer.tx_index,
        amount: transfer.amount,
        token: transfer.token,
        recipient: transfer.recipient,
        claimed: transfer.claimed,
    }
}
