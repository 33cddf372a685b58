//! Just enough of Rust's lexis to look at code without its comments and strings, and to find where items end.
//!
//! Blanking keeps every byte's position, so that line numbers stay right.

/// One source text, twice.
pub(super) struct Scan {
    /// Comments and the insides of literals are blanks.
    pub(super) code: String,
    /// Only comments are blanks.
    pub(super) with_strings: String,
}

/// A function and how long it is, signature and closing brace included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) lines: usize,
}

pub(super) fn scan(text: &str) -> Scan {
    let bytes = text.as_bytes();
    let (mut code, mut with_strings) = (bytes.to_vec(), bytes.to_vec());
    let mut at = 0;
    while at < bytes.len() {
        let (end, kind) = token(bytes, at);
        match kind {
            Token::Comment => {
                blank(&mut code, at, end);
                blank(&mut with_strings, at, end);
            }
            Token::Literal => blank(&mut code, at + 1, end.saturating_sub(1).max(at + 1)),
            Token::Code => {}
        }
        at = end;
    }
    Scan { code: String::from_utf8(code).unwrap(), with_strings: String::from_utf8(with_strings).unwrap() }
}

enum Token {
    Comment,
    Literal,
    Code,
}

/// Where what begins at `at` ends, and what it is.
fn token(bytes: &[u8], at: usize) -> (usize, Token) {
    let rest = &bytes[at..];
    let inside_a_name = at > 0 && is_name(bytes[at - 1]);
    if rest.starts_with(b"//") {
        (at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()), Token::Comment)
    } else if rest.starts_with(b"/*") {
        (block_comment(bytes, at), Token::Comment)
    } else if rest[0] == b'"' {
        (quoted(bytes, at, b'"'), Token::Literal)
    } else if let Some(end) = raw_string(bytes, at).filter(|_| !inside_a_name) {
        (end, Token::Literal)
    } else if rest[0] == b'\'' && is_char_literal(rest) {
        (quoted(bytes, at, b'\''), Token::Literal)
    } else {
        (at + 1, Token::Code)
    }
}

fn block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// `r"…"`, `r#"…"#` and so on, also with `b` or `c` before.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let rest = rest.strip_prefix(b"b").or_else(|| rest.strip_prefix(b"c")).unwrap_or(rest).strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    let inside = rest.get(hashes..)?.strip_prefix(b"\"")?;
    let closing = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let length = inside.windows(closing.len()).position(|window| window == closing)?;
    Some(bytes.len() - inside.len() + length + closing.len())
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(first) => {
            let width = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            rest.get(1 + width) == Some(&b'\'')
        }
        None => false,
    }
}

fn blank(bytes: &mut [u8], from: usize, to: usize) {
    for byte in bytes[from..to].iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

pub(super) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where a word stands alone, not inside a longer name.
pub(super) fn occurrences(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let whole = |at: &usize| {
        let before = at.checked_sub(1).is_none_or(|before| !is_name(bytes[before]) || !is_name(word.as_bytes()[0]));
        let last = word.len() - 1;
        let after = bytes.get(at + word.len()).is_none_or(|after| !is_name(*after) || !is_name(word.as_bytes()[last]));
        before && after
    };
    code.match_indices(word).map(|(at, _)| at).filter(whole).collect()
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// The end of the item that begins at `at`: past its closing brace or its semicolon.
fn item_end(code: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    for (position, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return position + 1;
                }
            }
            b';' if depth == 0 => return position + 1,
            _ => {}
        }
    }
    code.len()
}

const CFG_TEST: &str = "#[cfg(test)]";

/// The code without the items that only tests are built with.
pub(super) fn without_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (at, _) in code.match_indices(CFG_TEST) {
        let end = item_end(code.as_bytes(), at + CFG_TEST.len());
        blank(&mut bytes, at, end);
    }
    String::from_utf8(bytes).unwrap()
}

/// Names of the modules that are declared for tests only and lie in files of their own.
pub(super) fn test_modules(code: &str) -> Vec<String> {
    let declared = code.match_indices(CFG_TEST).filter_map(|(at, _)| {
        let end = item_end(code.as_bytes(), at + CFG_TEST.len());
        let item = code.get(at..end)?.strip_suffix(';')?;
        item.rsplit_once("mod ").map(|(_, name)| name.trim().to_owned())
    });
    declared.collect()
}

/// Every function with a body.
pub(super) fn functions(code: &str) -> Vec<Function> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for at in occurrences(code, "fn") {
        let name: String =
            code.get(at + 2..).unwrap_or_default().trim_start().chars().take_while(|c| is_name_char(*c)).collect();
        let end = item_end(bytes, at);
        // A function pointer's type has no name; a trait's method may have no body.
        if name.is_empty() || bytes[end - 1] != b'}' {
            continue;
        }
        let (line, last) = (line_of(code, at), line_of(code, end - 1));
        found.push(Function { name, line, lines: last - line + 1 });
    }
    found
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn comments_and_strings_hide_and_lifetimes_do_not() {
    let scan = scan(
        "let a = \"x // y\"; // z\nlet b = r#\"q\"q\"#; /* u /* v */ w */ let c: &'a str = f('\"', '\\'', b'{');\nend",
    );
    assert_eq!(
        scan.code,
        "let a = \"      \";     \nlet b = r      #;                   let c: &'a str = f(' ', '  ', b' ');\nend"
    );
    assert!(scan.with_strings.contains("\"x // y\";     \nlet b = r#\"q\"q\"#;"), "{}", scan.with_strings);
}

#[test]
fn functions_are_measured_from_signature_to_brace() {
    let code = "fn one() {}\n\nimpl X {\n    fn two(\n        a: [u8; 4],\n    ) -> fn(u8) {\n        { }\n    }\n}\ntrait T { fn three(&self); }";
    let found: Vec<_> = functions(code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(found, [("one".to_owned(), 1, 1), ("two".to_owned(), 4, 5)]);
}

#[test]
fn what_only_tests_are_built_with_is_left_out() {
    let code =
        "use a;\n#[cfg(test)]\nuse b::{c, d};\n#[cfg(test)]\nmod testing;\n#[cfg(test)]\nmod tests { use e; }\nuse f;";
    let rest = without_tests(code);
    assert!(rest.contains("use a;") && rest.contains("use f;"), "{rest}");
    assert!(["use b", "testing", "use e"].iter().all(|gone| !rest.contains(gone)), "{rest}");
    assert_eq!(test_modules(code), ["testing"]);
}
