//! The house rules that a compiler does not know, checked on the sources as they lie in the checkout.
//!
//! Nothing here compiles or parses Rust properly: [`scan`] blanks comments and strings, and the rules look at what is
//! left. That is right for code that `rustfmt` has been over, and a rule that is wrong about a line says which line.

mod documents;
mod edges;
mod scan;
mod sizes;
mod tree;
mod words;

/// Fails with every breach of a rule at once.
fn assert_clean(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}\n", breaches.join("\n  "));
}
