//! What a person should check after an attempt that the backend did not take. Pure.

use super::classify::{Class, Judged};

/// In one sentence; none after a success.
#[must_use]
pub fn to_check(judged: Judged, status: Option<u16>) -> Option<&'static str> {
    if judged.class == Class::Delivered {
        return None;
    }
    Some(match status {
        Some(status) => of_status(status),
        None => of_error(judged.outcome),
    })
}

fn of_status(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are never followed: configure the final address as url",
        401 | 403 => {
            "the backend refuses the sender: its secret has to be one of the destination's secrets, it has to verify the raw \
             body, and its clock may be off by minutes at most"
        }
        404 | 405 => "the backend runs and takes nothing at this path: check the path of url, and that it takes POST",
        410 => "the backend says that this address is no more: correct url, then resume the destination",
        413 => "the backend's or a proxy's limit for bodies is too low: messages may be a megabyte and more",
        400 | 415 | 422 => {
            "the backend does not understand it: it has to answer 2xx to types that it does not know, and to verify the raw \
             body before it reads it"
        }
        429 | 503 => {
            "the backend or a proxy in front of it refuses for load: it is tried again when it says, an hour at most"
        }
        500..=599 => "the backend failed: look into its own log for this webhook id",
        _ => "only 2xx means taken, and what accept lists: look into the backend's log for this webhook id",
    }
}

fn of_error(outcome: &str) -> &'static str {
    match outcome {
        "address" => {
            "the host is, or resolves to, an address in a private network: use a public one, or set allow_private for this \
             destination if it is meant"
        }
        "connect" => {
            "nothing answers there: check host and port of url, that its name resolves on this machine, and that no firewall is \
             in between"
        }
        "tls" => {
            "the handshake failed: check the backend's certificate (name, end, authority) against [forward.tls] ca, and \
             whether the backend demands a certificate ([forward.tls] cert and key)"
        }
        "timeout" => {
            "no answer within timeout: the backend should store and answer first and work afterwards; else raise timeout"
        }
        _ => {
            "the connection broke before an answer: look into the logs of the backend and of proxies in between; one that \
             demands a client certificate may hang up like this ([forward.tls] cert and key)"
        }
    }
}
