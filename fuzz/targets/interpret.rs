//! Any signed body with any headers has a meaning, the same one each time, and never a panic.

#![no_main]

mod shared;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tollgate::provider::{interpret, retry_count};

fuzz_target!(|input: (u8, Vec<(&[u8], &[u8])>, &[u8])| {
    let (choice, headers, body) = input;
    let source = shared::source(choice);
    let mut headers: Vec<(Bytes, Bytes)> = headers
        .into_iter()
        .map(|(name, value)| (Bytes::copy_from_slice(name), Bytes::copy_from_slice(value)))
        .collect();
    // Names that are looked at are hard to guess: give them the values there are.
    let known = ["webhook-id", "x-request-network-test", "x-request-network-retry-count"];
    for (slot, name) in headers.iter_mut().zip(known) {
        slot.0 = Bytes::from_static(name.as_bytes());
    }
    assert_eq!(interpret(&source, &headers, body), interpret(&source, &headers, body), "one body, one meaning");
    let _ = retry_count(&source.provider, &headers);
});
