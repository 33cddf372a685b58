//! `kill -9` at each step of an attempt. Each step is held where it is until the process is dead, and the ledger is asked
//! whether it was really reached: nothing here depends on how fast anything is.

use rusqlite::Connection;
use serde_json::Value;

use crate::support::authority::Authority;
use crate::support::chaos::{Chaos, Line};
use crate::support::gateway::{FORWARD_SECRET, Gateway, Setup, Site};
use crate::support::invoice;
use crate::support::receiver::{Answer, Gate, Received, Receiver};

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The message is due and no attempt is on record: the only slot is taken by another one.
    BeforeTheIntent,
    /// The intent is on record and no byte of the message has left: the backend's side of the handshake does not come.
    BeforeTheFirstByte,
    /// The backend has the whole message and does not answer.
    BeforeTheAnswer,
    /// The backend has answered and the ledger takes no result.
    BeforeTheResult,
    /// The result is on record.
    AfterTheResult,
}

const STEPS: [Step; 5] = [
    Step::BeforeTheIntent,
    Step::BeforeTheFirstByte,
    Step::BeforeTheAnswer,
    Step::BeforeTheResult,
    Step::AfterTheResult,
];

impl Step {
    /// How the last attempts stand in the ledger while the step is held: none is an attempt without an end.
    fn on_record(self) -> &'static [Option<&'static str>] {
        match self {
            Self::BeforeTheIntent => &[],
            Self::BeforeTheFirstByte | Self::BeforeTheAnswer | Self::BeforeTheResult => &[None],
            Self::AfterTheResult => &[Some("ok")],
        }
    }

    /// How they stand when the next life is done.
    fn in_the_end(self) -> &'static [Option<&'static str>] {
        match self {
            Self::BeforeTheIntent | Self::AfterTheResult => &[Some("ok")],
            Self::BeforeTheFirstByte | Self::BeforeTheAnswer | Self::BeforeTheResult => &[Some("lost"), Some("ok")],
        }
    }

    /// How often the backend hears of the message, and how often it takes it.
    fn heard_and_taken(self) -> (usize, usize) {
        match self {
            Self::BeforeTheIntent | Self::BeforeTheFirstByte | Self::AfterTheResult => (1, 1),
            Self::BeforeTheAnswer => (2, 1),
            Self::BeforeTheResult => (2, 2),
        }
    }
}

/// The backend behind TLS and a line that can be held.
struct World {
    backend: Receiver,
    way: Chaos,
    site: Site,
}

impl World {
    async fn new() -> Self {
        let authority = Authority::new();
        let backend = Receiver::start_tls(authority.server(&["http/1.1"]), &[FORWARD_SECRET]);
        let way = Chaos::down(backend.address()).await;
        let tls = "tls = { ca = \"file:ca.pem\", cert = \"file:client.pem\", key = \"file:client.key\" }";
        let url = format!("url = \"https://{}/webhooks\"", way.address());
        let lines = vec![("forward", format!("{url}\n{tls}\nconcurrency = 1\ntimeout = \"5m\""))];
        let site = Site::new(&Setup { lines, ..Setup::default() });
        let client = authority.client();
        for (name, text) in
            [("ca.pem", authority.pem()), ("client.pem", client.certificate), ("client.key", client.key)]
        {
            std::fs::write(site.folder().join(name), text).expect("a file");
        }
        Self { backend, way, site }
    }

    /// Posts a message and lets its attempt come to this step. What holds it there is given back.
    async fn come_to(&mut self, step: Step, gateway: &Gateway) -> (String, Value, Option<Connection>) {
        let mut held = None;
        let (gate, wait) = Gate::closed();
        match step {
            Step::BeforeTheIntent => {
                self.backend.always(Answer::Stall);
                gateway.request_network(&invoice::processing(1, 0)).await.delivery_id();
                self.backend.wait_for(1).await;
            }
            Step::BeforeTheFirstByte => self.way.put_up(Line::Hangs).await,
            Step::BeforeTheAnswer => self.backend.always(Answer::Stall),
            Step::BeforeTheResult => self.backend.always(wait),
            Step::AfterTheResult => self.backend.always(Answer::Status(200)),
        }
        let delivery = gateway.request_network(&invoice::processing(0, 0)).await.delivery_id();
        match step {
            Step::BeforeTheIntent | Step::BeforeTheFirstByte | Step::AfterTheResult => {}
            Step::BeforeTheAnswer => drop(self.backend.wait_for(1).await),
            Step::BeforeTheResult => {
                self.backend.wait_for(1).await;
                let other = Connection::open(self.site.data().join("ledger.db")).expect("another connection");
                other.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
                gate.open();
                self.backend.wait_for_taken(1).await;
                gateway.says("an attempt's result is not on record yet").await;
                held = Some(other);
            }
        }
        let event = gateway.event_when(&delivery, |event| ended_so(event, step.on_record())).await;
        (delivery, event, held)
    }
}

/// Whether the last attempts of the event's one message ended so; none at all is what nothing asks for. Earlier ones are of
/// a handshake that was waited for in vain.
fn ended_so(event: &Value, wanted: &[Option<&str>]) -> bool {
    let Some(all) = event.pointer("/messages/0/attempts").and_then(Value::as_array) else { return false };
    let all: Vec<_> = all.iter().map(|attempt| attempt["outcome"].as_str()).collect();
    all.ends_with(wanted) && all.is_empty() == wanted.is_empty()
}

#[tokio::test]
async fn a_gateway_killed_at_each_step_of_an_attempt_loses_nothing_and_keeps_every_id() {
    for step in STEPS {
        let mut world = World::new().await;
        world.way.put_up(Line::Good).await;
        let gateway = world.site.start();
        let (delivery, before, held) = world.come_to(step, &gateway).await;
        let site = gateway.kill();
        drop(held);

        world.way.put_up(Line::Good).await;
        world.backend.always(Answer::Status(200));
        let gateway = site.start();
        let event = gateway.event_in(&delivery, "settled", "PROVIDER_EVENT").await;
        assert_eq!(event["event_id"], before["event_id"], "{step:?}");
        assert!(ended_so(&event, step.in_the_end()), "{step:?}: {event:#}");
        // A message that comes after it in its lane tells that nothing of the first one is on its way any more.
        let next = gateway.request_network(&invoice::processing(0, 1)).await.delivery_id();
        gateway.event_in(&next, "settled", "PROVIDER_EVENT").await;
        let id = format!("{}_1", event["event_id"].as_str().expect("an id"));
        let of_it = |all: Vec<Received>| all.iter().filter(|one| one.webhook_id == id).count();
        let heard_and_taken = (of_it(world.backend.received()), of_it(world.backend.taken()));
        assert_eq!(heard_and_taken, step.heard_and_taken(), "{step:?}");
    }
}
