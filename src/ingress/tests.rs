//! Every row of the public listener's table, provoked over a real socket against a real evidence log.

mod answers;
mod http2;
mod limits;
mod logs;
mod refused;
mod rotation;
mod shed;
mod stored;
mod support;
