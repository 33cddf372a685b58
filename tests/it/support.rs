//! The harness: the real binary as a child process, a real chain, a backend that distrusts it.

pub(crate) mod authority;
pub(crate) mod bucket;
pub(crate) mod chaos;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod invoice;
pub(crate) mod money;
pub(crate) mod node;
pub(crate) mod receiver;
pub(crate) mod script;
