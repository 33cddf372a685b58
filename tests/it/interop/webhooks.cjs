// The other side of a signature: the official `stripe` and `standardwebhooks` packages, and node's own HMAC.
//
// Reads a JSON array of questions on standard input, writes the array of answers. Each question has `op`; bodies are
// text. Knows nothing of Tollgate.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");

const { Webhook } = require("standardwebhooks");
const imported = require("stripe");
const stripe = new (imported.Stripe ?? imported.default ?? imported)("sk_test_unused");

// What a library throws is its "no".
function judge(check) {
  try {
    return { accepted: true, event: check() };
  } catch (error) {
    return { accepted: false, reason: `${error.name}: ${error.message}` };
  }
}

const operations = {
  "stripe.sign": ({ secret, body, timestamp }) => ({
    "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp }),
  }),
  "stripe.verify": ({ secret, body, headers }) =>
    judge(() => stripe.webhooks.constructEvent(body, headers["stripe-signature"], secret)),
  "standardwebhooks.sign": ({ secret, body, timestamp, id }) => ({
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": new Webhook(secret).sign(id, new Date(timestamp * 1000), body),
  }),
  "standardwebhooks.verify": ({ secret, body, headers }) => judge(() => new Webhook(secret).verify(body, headers)),
  // The receiver in the README, as it stands there but for its import.
  "readme.receive": ({ code, secret, body, headers }) =>
    judge(() => {
      let receive;
      let credited;
      const given = {
        Webhook,
        process: { env: { TOLLGATE_SECRET: secret } },
        express: { raw: () => undefined },
        app: { post: (_path, _parser, handler) => (receive = handler) },
        credit: (id, event) => (credited = id === headers["webhook-id"] ? event : undefined),
      };
      new Function(...Object.keys(given), code.replace(/^import .*$/m, ""))(...Object.values(given));
      receive({ body: Buffer.from(body), headers }, { sendStatus: () => undefined });
      return credited;
    }),
  // How Request Network's documentation has a receiver compute the signature, and any sender with an HMAC header.
  "hmac.sign": ({ secret, body, header, algorithm, encoding, prefix }) => ({
    [header]: prefix + crypto.createHmac(algorithm, secret).update(body).digest(encoding),
  }),
};

const questions = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(questions.map((question) => operations[question.op](question))));
