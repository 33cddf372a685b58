//! Logging: one JSON object a line, or text for people, to standard error.
//!
//! Fields of the enclosing spans (`request_id`, `delivery_id`, `event_id`) stand beside the event's own, so that one
//! search finds everything about a delivery. Callers never log bodies, secrets or whole signatures.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;
use crate::config::Telemetry;

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("telemetry.log.level cannot be read as a filter: {0}; write error, warn, info, debug or trace")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process logs already.
    #[error("logging is already set up: {0}")]
    Taken(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's log. The one global thing the program installs.
///
/// # Errors
/// See [`LogError`].
pub fn init(telemetry: &Telemetry, clock: Clock) -> Result<(), LogError> {
    Ok(subscriber(telemetry, clock, std::io::stderr)?.try_init()?)
}

/// What [`init`] installs, writing elsewhere.
fn subscriber<W>(telemetry: &Telemetry, clock: Clock, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&telemetry.level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    if telemetry.json {
        Ok(Box::new(builder.fmt_fields(JsonFields::new()).event_format(Lines(clock)).finish()))
    } else {
        Ok(Box::new(builder.with_ansi(false).with_timer(Utc(clock)).finish()))
    }
}

/// Writes the time of an event as RFC 3339 UTC.
struct Utc(Clock);

impl tracing_subscriber::fmt::time::FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.6}", self.0.now())
    }
}

/// One JSON object a line: `timestamp`, `level`, `target`, then the event's fields with its `message`, then those of its
/// spans, the innermost first. The first of a name stands: no field can pose as one of these three.
struct Lines(Clock);

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    JsonFields: for<'w> FormatFields<'w>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        let mut line = Line::default();
        line.put("timestamp", &format!("{:.6}", self.0.now()));
        line.put("level", meta.level().as_str());
        line.put("target", meta.target());
        event.record(&mut line);
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<JsonFields>>() else { continue };
            if let Ok(Json::Object(fields)) = serde_json::from_str(&fields.fields) {
                fields.into_iter().for_each(|(name, value)| line.put(name, &value));
            }
        }
        writeln!(writer, "{{{}}}", line.text()?)
    }
}

/// The members of an object, written as they come: one line is logged for each acknowledged delivery, and a map of values
/// cost more than the line.
#[derive(Default)]
struct Line {
    members: Vec<u8>,
    names: Vec<Cow<'static, str>>,
}

impl Line {
    fn put<V: Serialize + ?Sized>(&mut self, name: impl Into<Cow<'static, str>>, value: &V) {
        let name = name.into();
        if self.names.contains(&name) {
            return;
        }
        let before = self.members.len();
        if before != 0 {
            self.members.push(b',');
        }
        let written = serde_json::to_writer(&mut self.members, &*name).and_then(|()| {
            self.members.push(b':');
            serde_json::to_writer(&mut self.members, value)
        });
        match written {
            Ok(()) => self.names.push(name),
            // A value that is no JSON is left out, and the line stays one.
            Err(_) => self.members.truncate(before),
        }
    }

    fn text(&self) -> Result<&str, fmt::Error> {
        std::str::from_utf8(&self.members).map_err(|_| fmt::Error)
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests;
