//! What Debian's NATS server needs to let in only whom it knows: a certificate of an authority, and
//! an operator with the credentials of its users. It takes the package `openssl`.

mod certificates;
mod jwt;

pub use certificates::Certificates;
pub use jwt::Operator;
