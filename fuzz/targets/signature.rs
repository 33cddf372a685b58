//! Whatever stands in the headers, a body is accepted only when our secret signed it.

#![no_main]

mod shared;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tollgate::provider::{Verifier, sign};

fuzz_target!(|input: (u8, bool, i64, [&[u8]; 3], &[u8])| {
    let (choice, genuine, now_s, values, body) = input;
    let now = Timestamp::from_second(now_s.rem_euclid(4_000_000_000)).expect("within the calendar");
    let source = shared::source(choice);
    let verifier = Verifier::new(&source).expect("the secret is well-formed");
    let right = sign::headers(&source.provider, shared::SECRET, body, now, "msg_1");
    let mut headers = HeaderMap::new();
    for ((name, value), hostile) in right.iter().zip(values) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        let value = if genuine { HeaderValue::from_str(value).ok() } else { HeaderValue::from_bytes(hostile).ok() };
        if let Some(value) = value {
            headers.append(name, value);
        }
    }
    // A fuzzer does not find a MAC: what it makes up is refused, and what we signed is taken.
    assert_eq!(verifier.verify(&headers, body, now).is_ok(), genuine);
});
