//! References inside texts: `env:NAME` and `file:PATH` as the whole text, `${env:NAME}` and `${file:PATH}` inside it.
//!
//! Messages name the reference and never what it holds.

use std::collections::BTreeMap;
use std::path::Path;

use super::problem::Origin;

/// The environment as a value.
pub type Environment = BTreeMap<String, String>;

/// Largest file that a reference may name, bytes: it holds a secret or an address, not data.
const FILE_MAX: u64 = 64 * 1024;

/// A text after its references were followed.
pub(super) struct Resolved {
    /// The value. One trailing newline of a file is dropped.
    pub(super) text: String,
    /// The whole text was one reference.
    pub(super) whole: Option<Reference>,
    /// Something in it came from a reference: it must not be shown in messages.
    pub(super) hidden: Hidden,
}

/// Whether a text may be repeated in a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// It holds something from a reference.
    Yes,
    /// As it stands in the file.
    No,
}

/// `env:NAME` or `file:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// An environment variable.
    Env(String),
    /// A file; relative ones start from the folder of the configuration file.
    File(String),
}

impl Reference {
    /// From `env:NAME` or `file:PATH`; other text is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("env", name)) => Some(Self::Env(name.to_owned())),
            Some(("file", path)) => Some(Self::File(path.to_owned())),
            _ => None,
        }
    }

    /// The one reference that is the whole text, in either form; parts around it make it none.
    pub(super) fn whole(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match inner {
            Some(inner) if !inner.contains('}') => Self::parse(inner),
            Some(_) => None,
            None => Self::parse(text),
        }
    }

    /// As written.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Env(name) => format!("env:{name}"),
            Self::File(path) => format!("file:{path}"),
        }
    }

    /// The variable's name, or the file's without folder and ending: what a secret is called when it has no name.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Env(name) => name.to_lowercase(),
            Self::File(path) => {
                Path::new(path).file_stem().map_or_else(|| path.clone(), |stem| stem.to_string_lossy().into_owned())
            }
        }
    }

    fn follow(&self, origin: &Origin, environment: &Environment) -> Result<String, Broken> {
        match self {
            Self::Env(name) => environment.get(name).cloned().ok_or_else(|| Broken {
                message: format!("expected the environment variable {name}; it is not set, or is not UTF-8"),
                help: format!("set {name} for the process, or refer to a file with \"file:PATH\""),
            }),
            Self::File(path) => {
                let full = origin.folder().unwrap_or_default().join(path);
                read(&full).map_err(|why| Broken {
                    message: format!("expected a readable text file at {}; {why}", full.display()),
                    help: "create it, readable by this user; a relative path starts from the configuration file's \
                           folder"
                        .to_owned(),
                })
            }
        }
    }
}

/// A reference that leads nowhere.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) message: String,
    pub(super) help: String,
}

/// Follows every reference of a text.
pub(super) fn resolve(text: &str, origin: &Origin, environment: &Environment) -> Result<Resolved, Broken> {
    if let Some(reference) = Reference::parse(text) {
        let text = reference.follow(origin, environment)?;
        return Ok(Resolved { text, whole: Some(reference), hidden: Hidden::Yes });
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut hidden = Hidden::No;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let inner = after.split_once('}').and_then(|(inner, tail)| Some((Reference::parse(inner)?, tail)));
        let Some((reference, tail)) = inner else {
            return Err(Broken {
                message: "expected ${env:NAME} or ${file:PATH}; found ${ with something else behind it".to_owned(),
                help: "write ${env:NAME}, closed by a brace".to_owned(),
            });
        };
        out.push_str(&reference.follow(origin, environment)?);
        hidden = Hidden::Yes;
        rest = tail;
    }
    out.push_str(rest);
    Ok(Resolved { text: out, whole: None, hidden })
}

fn read(path: &Path) -> Result<String, String> {
    use std::io::Read;

    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if FILE_MAX < u64::try_from(text.len()).unwrap_or(u64::MAX) {
        return Err(format!("it is larger than {} KiB", FILE_MAX / 1024));
    }
    let end = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).map_or(text.len(), str::len);
    text.truncate(end);
    Ok(text)
}
