//! Logging: one JSON object a line, or text for people, to standard error.
//!
//! Fields of the enclosing spans (`request_id`, `delivery_id`, `event_id`) stand beside the event's own, so that one
//! search finds everything about a delivery. Callers never log bodies, secrets or whole signatures.

use std::fmt;

use serde_json::{Map, Value as Json};
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

/// One JSON object a line: `timestamp`, `level`, `target`, `message`, the fields of all spans, then the event's.
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
        let mut line = Fields(Map::new());
        for span in context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<JsonFields>>() else { continue };
            if let Ok(Json::Object(fields)) = serde_json::from_str(&fields.fields) {
                line.0.extend(fields);
            }
        }
        event.record(&mut line);
        let meta = event.metadata();
        // Last, so that no field of that name can pose as one of these.
        line.0.insert("timestamp".to_owned(), Json::String(format!("{:.6}", self.0.now())));
        line.0.insert("level".to_owned(), Json::String(meta.level().to_string()));
        line.0.insert("target".to_owned(), Json::String(meta.target().to_owned()));
        writeln!(writer, "{}", Json::Object(line.0))
    }
}

/// Collects an event's fields.
struct Fields(Map<String, Json>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests;
