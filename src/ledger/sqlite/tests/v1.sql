-- A ledger as the first release left it: its schema and a row of every kind. Never edited.
PRAGMA application_id = 1414285140;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    ledger_id BLOB NOT NULL CHECK (length(ledger_id) = 16),
    created_us INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES(1,X'01a1fc03dd9f754f833fa316c9e125f5',1790000000000000);
CREATE TABLE cursor (
    log_id BLOB PRIMARY KEY CHECK (length(log_id) = 16),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    link BLOB NOT NULL CHECK (length(link) = 32),
    turn INTEGER NOT NULL UNIQUE
) STRICT;
INSERT INTO cursor VALUES(X'01a1fc03dda2776687916dd97169d11f',9,X'00000000000000000000000000000000000000000000000000000000000003f1',2);
CREATE TABLE expectations (
    id TEXT PRIMARY KEY,
    realm TEXT NOT NULL,
    key_kind TEXT NOT NULL CHECK (key_kind IN ('request_id', 'payment_reference', 'provider_object', 'direct')),
    key_text TEXT,
    terms TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    state TEXT NOT NULL
        CHECK (state IN ('open', 'partial', 'paid', 'overpaid', 'late', 'expired', 'cancelled')),
    -- One amount a way to pay.
    received BLOB NOT NULL CHECK (length(received) > 0 AND length(received) % 32 = 0),
    -- Deadline and grace; block times after it are late.
    ends_us INTEGER,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    CHECK ((key_kind = 'direct') = (key_text IS NULL))
) STRICT;
INSERT INTO expectations VALUES('order','request-network','request_id','r1','{"id":"order","realm":"request-network","key":{"request_id":"r1"},"accept":[{"chain":"base","chain_id":8453,"token":"0x0000000000000000000000000000000000000384","symbol":"USDC","decimals":6,"recipients":["0x0000000000000000000000000000000000000001"],"amount":"0x64"}],"payer":null,"not_before":null,"deadline":null,"grace_seconds":0,"tolerance":{"abs":"0x0","bps":0},"rails":["reference"],"min_assurance":null,"metadata":{}}',2,'partial',X'000000000000000000000000000000000000000000000000000000000000003c',NULL,1790000000000000,1790000000000000);
INSERT INTO expectations VALUES('late','request-network','request_id','r9','{"id":"late","realm":"request-network","key":{"request_id":"r9"},"accept":[{"chain":"base","chain_id":8453,"token":"0x0000000000000000000000000000000000000384","symbol":"USDC","decimals":6,"recipients":["0x0000000000000000000000000000000000000001"],"amount":"0x64"}],"payer":null,"not_before":null,"deadline":null,"grace_seconds":0,"tolerance":{"abs":"0x0","bps":0},"rails":["reference"],"min_assurance":null,"metadata":{}}',1,'open',X'0000000000000000000000000000000000000000000000000000000000000000',NULL,1790000000000000,1790000000000000);
CREATE TABLE open_recipients (
    chain_id INTEGER NOT NULL,
    recipient BLOB NOT NULL CHECK (length(recipient) = 20),
    expectation_id TEXT NOT NULL REFERENCES expectations (id),
    PRIMARY KEY (chain_id, recipient, expectation_id)
) STRICT, WITHOUT ROWID;
INSERT INTO open_recipients VALUES(8453,X'0000000000000000000000000000000000000001','late');
INSERT INTO open_recipients VALUES(8453,X'0000000000000000000000000000000000000001','order');
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL UNIQUE CHECK (length(event_id) = 16),
    source TEXT NOT NULL,
    realm TEXT NOT NULL,
    provider_type TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    facts TEXT NOT NULL,
    -- Known by a thin delivery only: a snapshot may still take it over.
    thin INTEGER NOT NULL CHECK (thin IN (0, 1)),
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'verifying', 'awaiting_finality', 'forwarding', 'forwarded',
        'settled', 'refuted', 'undetermined', 'held', 'ignored', 'dead', 'retracted')),
    code TEXT,
    version INTEGER NOT NULL CHECK (version > 0),
    state_version INTEGER NOT NULL CHECK (state_version >= 0),
    -- When verification looks; set only while it should.
    due_us INTEGER,
    looks INTEGER NOT NULL CHECK (looks >= 0),
    first_look_us INTEGER,
    anchor TEXT,
    anchor_checked_us INTEGER,
    -- A message waits for a look at its anchor.
    anchor_check INTEGER NOT NULL CHECK (anchor_check IN (0, 1)),
    expectation_id TEXT REFERENCES expectations (id),
    payment_id TEXT,
    updated_us INTEGER NOT NULL,
    CHECK (anchor_check = 0 OR (anchor IS NOT NULL AND state = 'forwarding'))
) STRICT;
INSERT INTO events VALUES(1,X'7ff0288d050a8fd4ab5d6c923b2bffc9','rn','request-network','payment.confirmed',1790000000000000,'{"source":"rn","realm":"request-network","provider":"request-network","provider_type":"payment.confirmed","provider_event_id":null,"account":null,"client_id":null,"api_version":null,"livemode":true,"lane":"lane:a","origin":"webhook","delivery_id":"01a1fc03-dda4-72ad-919b-49abf2fb7319","received_us":1790000000000000}',0,'expectation:order','forwarded','VERIFIED_PARTIAL',3,1,1790000001000000,0,NULL,'{"chain_id":8453,"tx_hash":"0x0000000000000000000000000000000000000000000000000000000000000001","block_number":11,"block_hash":"0x00000000000000000000000000000000000000000000000000000000000f424b","tx_index":1,"block_timestamp":1790000000}',1790000000000000,0,'order','pay_9e58cf24fc8be0689c15c5bb38fcb5a5',1790000001000000);
INSERT INTO events VALUES(2,X'2ea9d56abcf48edc93a7d5ac531d544f','rn','request-network','payment.confirmed',1790000000000000,'{"source":"rn","realm":"request-network","provider":"request-network","provider_type":"payment.confirmed","provider_event_id":null,"account":null,"client_id":null,"api_version":null,"livemode":true,"lane":"lane:b","origin":"webhook","delivery_id":"01a1fc03-dda4-72ad-919b-49ad7e7a2d33","received_us":1790000000000000}',0,'lane:b','forwarding','VERIFIED_UNMATCHED',2,1,NULL,1,1790000000000000,'{"chain_id":8453,"tx_hash":"0x0000000000000000000000000000000000000000000000000000000000000002","block_number":12,"block_hash":"0x00000000000000000000000000000000000000000000000000000000000f424c","tx_index":2,"block_timestamp":1790000000}',1790000000000000,0,NULL,'pay_b233a6ad4c1ae11f49024bf0ca6dfe70',1790000000000000);
INSERT INTO events VALUES(3,X'0a077a4ff93d866498a27deb50b4f924','stripe','request-network','payment.confirmed',1790000000000000,'{"source":"stripe","realm":"request-network","provider":"request-network","provider_type":"payment.confirmed","provider_event_id":null,"account":"acct_1","client_id":null,"api_version":null,"livemode":true,"lane":"lane:card","origin":"webhook","delivery_id":"01a1fc03-dda4-72ad-919b-49aad87705c0","received_us":1790000000000000}',0,'lane:card','forwarding','PROVIDER_EVENT',1,1,NULL,0,NULL,NULL,NULL,0,NULL,NULL,1790000000000000);
INSERT INTO events VALUES(4,X'865ecd92ecd3824e9868a94b992adb10','rn','request-network','payment.confirmed',1790000000000000,'{"source":"rn","realm":"request-network","provider":"request-network","provider_type":"payment.confirmed","provider_event_id":null,"account":null,"client_id":null,"api_version":null,"livemode":true,"lane":"lane:held","origin":"webhook","delivery_id":"01a1fc03-dda4-72ad-919b-49ae0a26981b","received_us":1790000000000000}',0,'lane:held','held','TX_NOT_FOUND',2,0,NULL,1,1790000005000000,NULL,NULL,0,NULL,NULL,1790000005000000);
INSERT INTO events VALUES(5,X'da172446ab0c8b0c8a5a3054e47aa80c','rn','request-network','payment.confirmed',1790000000000000,'{"source":"rn","realm":"request-network","provider":"request-network","provider_type":"payment.confirmed","provider_event_id":null,"account":null,"client_id":null,"api_version":null,"livemode":true,"lane":"lane:ended","origin":"webhook","delivery_id":"01a1fc03-dda4-72ad-919b-49afe3b3839d","received_us":1790000000000000}',0,'lane:ended','ignored','TYPE_IGNORED',1,0,NULL,0,NULL,NULL,NULL,0,NULL,NULL,1790000000000000);
INSERT INTO events VALUES(6,X'8ce250c150d380a2a76d0177e4d48afd','rn','request-network','payment.confirmed',1790000000000000,'{"source":"rn","realm":"request-network","provider":"request-network","provider_type":"payment.confirmed","provider_event_id":null,"account":null,"client_id":null,"api_version":null,"livemode":true,"lane":"lane:thin","origin":"webhook","delivery_id":"01a1fc03-dda4-72ad-919b-49b04b77a394","received_us":1790000000000000}',1,'lane:thin','received','WAITING_TWIN',1,0,1790000600000000,0,NULL,NULL,NULL,0,NULL,NULL,1790000000000000);
INSERT INTO events VALUES(7,X'65808ef3616a826090fb43c89a3db0e6','rn','request-network','payment.confirmed',1790000000000000,'{"source":"rn","realm":"request-network","provider":"request-network","provider_type":"payment.confirmed","provider_event_id":null,"account":null,"client_id":null,"api_version":null,"livemode":true,"lane":"lane:copy","origin":"webhook","delivery_id":"01a1fc03-dda4-72ad-919b-49b1895d14c8","received_us":1790000000000000}',0,'lane:copy','ignored','JOINED',2,0,NULL,0,NULL,NULL,NULL,0,NULL,NULL,1790000000000000);
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    delivery_id BLOB NOT NULL UNIQUE CHECK (length(delivery_id) = 16),
    log_id BLOB NOT NULL CHECK (length(log_id) = 16),
    seq INTEGER NOT NULL,
    source TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32),
    event_id BLOB REFERENCES events (event_id),
    code TEXT,
    CHECK ((event_id IS NULL) <> (code IS NULL)),
    UNIQUE (log_id, seq)
) STRICT;
INSERT INTO deliveries VALUES(1,X'01a1fc03dda472ad919b49abf2fb7319',X'01a1fc03dda2776687916dd97169d11f',1,'rn',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000001',X'7ff0288d050a8fd4ab5d6c923b2bffc9',NULL);
INSERT INTO deliveries VALUES(2,X'01a1fc03dda472ad919b49ac2976faad',X'01a1fc03dda2776687916dd97169d11f',2,'rn',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000002',X'7ff0288d050a8fd4ab5d6c923b2bffc9',NULL);
INSERT INTO deliveries VALUES(3,X'01a1fc03dda472ad919b49ad7e7a2d33',X'01a1fc03dda2776687916dd97169d11f',3,'rn',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000003',X'2ea9d56abcf48edc93a7d5ac531d544f',NULL);
INSERT INTO deliveries VALUES(4,X'01a1fc03dda472ad919b49aad87705c0',X'01a1fc03dda2776687916dd97169d11f',4,'stripe',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000004',X'0a077a4ff93d866498a27deb50b4f924',NULL);
INSERT INTO deliveries VALUES(5,X'01a1fc03dda472ad919b49ae0a26981b',X'01a1fc03dda2776687916dd97169d11f',5,'rn',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000005',X'865ecd92ecd3824e9868a94b992adb10',NULL);
INSERT INTO deliveries VALUES(6,X'01a1fc03dda472ad919b49afe3b3839d',X'01a1fc03dda2776687916dd97169d11f',6,'rn',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000006',X'da172446ab0c8b0c8a5a3054e47aa80c',NULL);
INSERT INTO deliveries VALUES(7,X'01a1fc03dda472ad919b49b04b77a394',X'01a1fc03dda2776687916dd97169d11f',7,'rn',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000007',X'8ce250c150d380a2a76d0177e4d48afd',NULL);
INSERT INTO deliveries VALUES(8,X'01a1fc03dda472ad919b49b1895d14c8',X'01a1fc03dda2776687916dd97169d11f',8,'rn',1790000000000000,X'0000000000000000000000000000000000000000000000000000000000000008',X'65808ef3616a826090fb43c89a3db0e6',NULL);
INSERT INTO deliveries VALUES(9,X'01a1fc03ddb270a7b288e2d3cb50b0c5',X'01a1fc03dda2776687916dd97169d11f',9,'rn',1790000007000000,X'0000000000000000000000000000000000000000000000000000000000000009',NULL,'TEST_HEADER');
CREATE TABLE identities (
    identity BLOB PRIMARY KEY CHECK (length(identity) = 32),
    event_id BLOB NOT NULL REFERENCES events (event_id)
) STRICT, WITHOUT ROWID;
INSERT INTO identities VALUES(X'267a5d2b5c90f5e6e2fcee525eb7873930fd7eef61b5a3ba7223f9c4c707ea67',X'0a077a4ff93d866498a27deb50b4f924');
INSERT INTO identities VALUES(X'5533d83a4d93e5be523dd280ecf4d0de94fea07e21878a2027ff287a94f0e39f',X'2ea9d56abcf48edc93a7d5ac531d544f');
INSERT INTO identities VALUES(X'4eee92e6fe5c26b21e46e4d6beec1ab9dfa078d81333652c916104e73751196c',X'7ff0288d050a8fd4ab5d6c923b2bffc9');
INSERT INTO identities VALUES(X'b714c9a02b107d373f30966c97f5e76d4ed31003c14e6fee88af49783e0c5fea',X'7ff0288d050a8fd4ab5d6c923b2bffc9');
INSERT INTO identities VALUES(X'83bad1d800f9296f3282ea899b4604646903fa0f71d8c2fa260728c39dfa626b',X'865ecd92ecd3824e9868a94b992adb10');
INSERT INTO identities VALUES(X'9913bc58853dbd586c184d40ce72dde499a009c7066e9ceca1c743f8705073b0',X'8ce250c150d380a2a76d0177e4d48afd');
INSERT INTO identities VALUES(X'a521a974bceb56c33ba5c8d1ba5869fe78d1c903c21b019cde61ed7b557e1712',X'da172446ab0c8b0c8a5a3054e47aa80c');
CREATE TABLE claim_versions (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    claim TEXT NOT NULL,
    request_id TEXT,
    payment_reference TEXT,
    tx TEXT NOT NULL,
    delivery_id BLOB NOT NULL CHECK (length(delivery_id) = 16),
    at_us INTEGER NOT NULL,
    UNIQUE (event_id, fingerprint)
) STRICT;
INSERT INTO claim_versions VALUES(1,X'7ff0288d050a8fd4ab5d6c923b2bffc9',X'97f07a6ba92e69714f6e7ad56eaddce1af04b25c57a65863d864746ac2665342','{"basis":"reference","network":"base","tx_hash":"0x0000000000000000000000000000000000000000000000000000000000000001","payment_reference":null,"request_id":"r1","provider_objects":[],"amount":"100","currency":"USDC","payer":null}','r1',NULL,'0x0000000000000000000000000000000000000000000000000000000000000001',X'01a1fc03dda472ad919b49abf2fb7319',1790000000000000);
INSERT INTO claim_versions VALUES(2,X'2ea9d56abcf48edc93a7d5ac531d544f',X'816e89a1ce45a5d2b042b27259cae83efb47e89fa33e934c42abb6531bbf62c4','{"basis":"reference","network":"base","tx_hash":"0x0000000000000000000000000000000000000000000000000000000000000002","payment_reference":"0x1122334455667788","request_id":"r2","provider_objects":["pi_1"],"amount":"100","currency":"USDC","payer":null}','r2','0x1122334455667788','0x0000000000000000000000000000000000000000000000000000000000000002',X'01a1fc03dda472ad919b49ad7e7a2d33',1790000000000000);
INSERT INTO claim_versions VALUES(3,X'865ecd92ecd3824e9868a94b992adb10',X'7da1297d51797813bfc3f60bfa9c4d513c90e5fa1d9759196802acbf6b9e42cb','{"basis":"reference","network":"base","tx_hash":"0x0000000000000000000000000000000000000000000000000000000000000005","payment_reference":null,"request_id":"r5","provider_objects":[],"amount":"100","currency":"USDC","payer":null}','r5',NULL,'0x0000000000000000000000000000000000000000000000000000000000000005',X'01a1fc03dda472ad919b49ae0a26981b',1790000000000000);
INSERT INTO claim_versions VALUES(4,X'65808ef3616a826090fb43c89a3db0e6',X'97f07a6ba92e69714f6e7ad56eaddce1af04b25c57a65863d864746ac2665342','{"basis":"reference","network":"base","tx_hash":"0x0000000000000000000000000000000000000000000000000000000000000001","payment_reference":null,"request_id":"r1","provider_objects":[],"amount":"100","currency":"USDC","payer":null}','r1',NULL,'0x0000000000000000000000000000000000000000000000000000000000000001',X'01a1fc03dda472ad919b49b1895d14c8',1790000000000000);
CREATE TABLE claim_objects (
    object TEXT NOT NULL,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    PRIMARY KEY (object, event_id)
) STRICT, WITHOUT ROWID;
INSERT INTO claim_objects VALUES('pi_1',X'2ea9d56abcf48edc93a7d5ac531d544f');
CREATE TABLE transfer_claims (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    chain_id INTEGER NOT NULL,
    tx_hash BLOB NOT NULL CHECK (length(tx_hash) = 32),
    slot TEXT NOT NULL CHECK (length(slot) > 0),
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    block_number INTEGER NOT NULL,
    tx_index INTEGER NOT NULL,
    amount BLOB NOT NULL CHECK (length(amount) = 32),
    -- Empty is the chain's native coin.
    token BLOB NOT NULL CHECK (length(token) IN (0, 20)),
    recipient BLOB NOT NULL CHECK (length(recipient) = 20),
    payment_id TEXT NOT NULL,
    expectation_id TEXT REFERENCES expectations (id),
    join_realm TEXT,
    join_reference TEXT,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'tombstone')),
    claimed_us INTEGER NOT NULL,
    UNIQUE (chain_id, tx_hash, slot),
    UNIQUE (chain_id, block_hash, tx_index, slot)
) STRICT;
INSERT INTO transfer_claims VALUES(1,X'7ff0288d050a8fd4ab5d6c923b2bffc9',8453,X'0000000000000000000000000000000000000000000000000000000000000001','log:7',X'00000000000000000000000000000000000000000000000000000000000f424b',11,1,X'000000000000000000000000000000000000000000000000000000000000003c',X'0000000000000000000000000000000000000384',X'0000000000000000000000000000000000000001','pay_9e58cf24fc8be0689c15c5bb38fcb5a5','order',NULL,NULL,'claimed',1790000000000000);
INSERT INTO transfer_claims VALUES(2,X'2ea9d56abcf48edc93a7d5ac531d544f',8453,X'0000000000000000000000000000000000000000000000000000000000000002','log:7',X'00000000000000000000000000000000000000000000000000000000000f424c',12,2,X'0000000000000000000000000000000000000000000000000000000000000064',X'0000000000000000000000000000000000000384',X'0000000000000000000000000000000000000001','pay_b233a6ad4c1ae11f49024bf0ca6dfe70',NULL,NULL,NULL,'claimed',1790000000000000);
CREATE TABLE expectation_payments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    expectation_id TEXT NOT NULL REFERENCES expectations (id),
    event_id BLOB NOT NULL UNIQUE REFERENCES events (event_id),
    payment_id TEXT NOT NULL UNIQUE,
    accept_index INTEGER NOT NULL CHECK (accept_index >= 0),
    amount BLOB NOT NULL CHECK (length(amount) = 32),
    step TEXT NOT NULL CHECK (step IN ('partial', 'completed', 'excess'))
) STRICT;
INSERT INTO expectation_payments VALUES(1,'order',X'7ff0288d050a8fd4ab5d6c923b2bffc9','pay_9e58cf24fc8be0689c15c5bb38fcb5a5',0,X'000000000000000000000000000000000000000000000000000000000000003c','partial');
CREATE TABLE trace (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    at_us INTEGER NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    code TEXT,
    detail TEXT NOT NULL
) STRICT;
INSERT INTO trace VALUES(1,X'7ff0288d050a8fd4ab5d6c923b2bffc9',1790000000000000,NULL,'verifying',NULL,'{"delivery_id":"01a1fc03-dda4-72ad-919b-49abf2fb7319"}');
INSERT INTO trace VALUES(2,X'2ea9d56abcf48edc93a7d5ac531d544f',1790000000000000,NULL,'verifying',NULL,'{"delivery_id":"01a1fc03-dda4-72ad-919b-49ad7e7a2d33"}');
INSERT INTO trace VALUES(3,X'0a077a4ff93d866498a27deb50b4f924',1790000000000000,NULL,'forwarding','PROVIDER_EVENT','{"delivery_id":"01a1fc03-dda4-72ad-919b-49aad87705c0"}');
INSERT INTO trace VALUES(4,X'865ecd92ecd3824e9868a94b992adb10',1790000000000000,NULL,'verifying',NULL,'{"delivery_id":"01a1fc03-dda4-72ad-919b-49ae0a26981b"}');
INSERT INTO trace VALUES(5,X'da172446ab0c8b0c8a5a3054e47aa80c',1790000000000000,NULL,'ignored','TYPE_IGNORED','{"delivery_id":"01a1fc03-dda4-72ad-919b-49afe3b3839d"}');
INSERT INTO trace VALUES(6,X'8ce250c150d380a2a76d0177e4d48afd',1790000000000000,NULL,'received','WAITING_TWIN','{"delivery_id":"01a1fc03-dda4-72ad-919b-49b04b77a394"}');
INSERT INTO trace VALUES(7,X'65808ef3616a826090fb43c89a3db0e6',1790000000000000,NULL,'verifying',NULL,'{"delivery_id":"01a1fc03-dda4-72ad-919b-49b1895d14c8"}');
INSERT INTO trace VALUES(8,X'7ff0288d050a8fd4ab5d6c923b2bffc9',1790000000000000,'verifying','forwarding','VERIFIED_PARTIAL','{"seen":1}');
INSERT INTO trace VALUES(9,X'7ff0288d050a8fd4ab5d6c923b2bffc9',1790000001000000,'forwarding','forwarded','VERIFIED_PARTIAL','{"attempt_id":"01a1fc03-dda9-7763-b812-7ae4a7079ebb","destination":"default","status":200,"webhook_id":"7ff0288d-050a-8fd4-ab5d-6c923b2bffc9_1"}');
INSERT INTO trace VALUES(10,X'2ea9d56abcf48edc93a7d5ac531d544f',1790000000000000,'verifying','forwarding','VERIFIED_UNMATCHED','{"seen":2}');
INSERT INTO trace VALUES(11,X'65808ef3616a826090fb43c89a3db0e6',1790000000000000,'verifying','ignored','JOINED','{"joined":"7ff0288d-050a-8fd4-ab5d-6c923b2bffc9","seen":{"seen":1}}');
INSERT INTO trace VALUES(12,X'7ff0288d050a8fd4ab5d6c923b2bffc9',1790000000000000,'forwarded','forwarded','JOINED','{"joined_by":"65808ef3-616a-8260-90fb-43c89a3db0e6"}');
INSERT INTO trace VALUES(13,X'865ecd92ecd3824e9868a94b992adb10',1790000005000000,'verifying','held','TX_NOT_FOUND','{"at":1790000005000000}');
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL UNIQUE,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    state_version INTEGER NOT NULL CHECK (state_version > 0),
    lane TEXT NOT NULL,
    message_type TEXT NOT NULL,
    body BLOB NOT NULL,
    payment_id TEXT,
    created_us INTEGER NOT NULL,
    -- The first intent to send it anywhere: from then on it counts as forwarded.
    first_intent_us INTEGER,
    UNIQUE (event_id, state_version)
) STRICT;
INSERT INTO messages VALUES(1,'0a077a4f-f93d-8664-98a2-7deb50b4f924_1',X'0a077a4ff93d866498a27deb50b4f924',1,'lane:card','provider.event',X'636172642030613037376134662d663933642d383636342d393861322d3764656235306234663932345f31',NULL,1790000000000000,1790000001000000);
INSERT INTO messages VALUES(2,'7ff0288d-050a-8fd4-ab5d-6c923b2bffc9_1',X'7ff0288d050a8fd4ab5d6c923b2bffc9',1,'expectation:order','payment.partial',X'37666630323838642d303530612d386664342d616235642d3663393233623262666663395f31206578706563746174696f6e3a6f726465722056455249464945445f5041525449414c203630206f662031303020696e2031','pay_9e58cf24fc8be0689c15c5bb38fcb5a5',1790000000000000,1790000001000000);
INSERT INTO messages VALUES(3,'2ea9d56a-bcf4-8edc-93a7-d5ac531d544f_1',X'2ea9d56abcf48edc93a7d5ac531d544f',1,'lane:b','payment.unmatched',X'32656139643536612d626366342d386564632d393361372d6435616335333164353434665f31206c616e653a622056455249464945445f554e4d41544348454420','pay_b233a6ad4c1ae11f49024bf0ca6dfe70',1790000000000000,NULL);
CREATE TABLE dispatches (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES messages (seq),
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('due', 'sending', 'delivered', 'dead', 'superseded')),
    head INTEGER NOT NULL CHECK (head IN (0, 1)),
    due_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    PRIMARY KEY (destination, seq),
    CHECK (head = 0 OR state IN ('due', 'sending'))
) STRICT, WITHOUT ROWID;
INSERT INTO dispatches VALUES('default',1,'lane:card','delivered',0,1790000000000000,1);
INSERT INTO dispatches VALUES('default',2,'expectation:order','delivered',0,1790000000000000,1);
INSERT INTO dispatches VALUES('default',3,'lane:b','due',1,1790000000000000,0);
INSERT INTO dispatches VALUES('second',1,'lane:card','due',1,1790000090000000,1);
CREATE TABLE attempts (
    attempt_id BLOB PRIMARY KEY CHECK (length(attempt_id) = 16),
    seq INTEGER NOT NULL,
    destination TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    finished_us INTEGER,
    status INTEGER,
    outcome TEXT,
    latency_ms INTEGER,
    response TEXT,
    FOREIGN KEY (destination, seq) REFERENCES dispatches (destination, seq)
) STRICT;
INSERT INTO attempts VALUES(X'01a1fc03dda97763b8127ae4a7079ebb',2,'default',1790000001000000,1790000001000000,200,'ok',12,'thanks');
INSERT INTO attempts VALUES(X'01a1fc03ddab77b6940a77674248c4cf',1,'default',1790000001000000,1790000001000000,200,'ok',12,'thanks');
INSERT INTO attempts VALUES(X'01a1fc03ddac722fa987f2dcc535b794',1,'second',1790000001000000,1790000001000000,500,'status',12,'thanks');
CREATE TABLE counts (
    kind TEXT NOT NULL CHECK (kind IN ('event', 'outbox')),
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
INSERT INTO counts VALUES('event','forwarded',1);
INSERT INTO counts VALUES('event','forwarding',2);
INSERT INTO counts VALUES('event','held',1);
INSERT INTO counts VALUES('event','ignored',2);
INSERT INTO counts VALUES('event','received',1);
INSERT INTO counts VALUES('event','verifying',0);
INSERT INTO counts VALUES('outbox','default',1);
INSERT INTO counts VALUES('outbox','second',1);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('messages',3);
INSERT INTO sqlite_sequence VALUES('expectation_payments',1);
CREATE UNIQUE INDEX expectation_open ON expectations (realm, key_kind, key_text)
    WHERE key_text IS NOT NULL AND state IN ('open', 'partial');
CREATE INDEX expectation_ends ON expectations (ends_us) WHERE ends_us IS NOT NULL AND state IN ('open', 'partial');
CREATE INDEX expectation_by_key ON expectations (realm, key_kind, key_text) WHERE key_text IS NOT NULL;
CREATE INDEX open_recipients_of ON open_recipients (expectation_id);
CREATE INDEX event_due ON events (due_us, id) WHERE due_us IS NOT NULL;
CREATE INDEX event_received ON events (received_us, id);
CREATE INDEX event_state ON events (state, received_us, id);
CREATE INDEX event_held ON events (updated_us) WHERE state = 'held';
CREATE INDEX event_expectation ON events (expectation_id) WHERE expectation_id IS NOT NULL;
CREATE UNIQUE INDEX event_payment ON events (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX delivery_received ON deliveries (received_us, id);
CREATE INDEX delivery_event ON deliveries (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX identity_event ON identities (event_id);
CREATE TRIGGER identities_stay BEFORE DELETE ON identities
BEGIN SELECT RAISE(ABORT, 'an identity is never deleted'); END;
CREATE INDEX claim_request ON claim_versions (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX claim_reference ON claim_versions (payment_reference) WHERE payment_reference IS NOT NULL;
CREATE INDEX claim_tx ON claim_versions (tx);
CREATE INDEX transfer_claim_event ON transfer_claims (event_id);
CREATE TRIGGER transfer_claims_stay BEFORE DELETE ON transfer_claims
BEGIN SELECT RAISE(ABORT, 'a transfer claim is never deleted'); END;
CREATE TRIGGER transfer_claims_keep_their_event BEFORE UPDATE OF event_id, chain_id, tx_hash, slot ON transfer_claims
BEGIN SELECT RAISE(ABORT, 'a transfer claim never changes its transfer or its event'); END;
CREATE INDEX expectation_payment_of ON expectation_payments (expectation_id, id);
CREATE UNIQUE INDEX expectation_completed ON expectation_payments (expectation_id) WHERE step = 'completed';
CREATE INDEX trace_event ON trace (event_id, id);
CREATE TRIGGER messages_stay BEFORE DELETE ON messages
BEGIN SELECT RAISE(ABORT, 'a message is never deleted'); END;
CREATE TRIGGER messages_keep_their_bytes
BEFORE UPDATE OF seq, webhook_id, event_id, state_version, lane, message_type, body, payment_id, created_us ON messages
BEGIN SELECT RAISE(ABORT, 'a message never changes'); END;
CREATE INDEX dispatch_ready ON dispatches (destination, due_us, seq) WHERE state = 'due' AND head = 1;
CREATE UNIQUE INDEX dispatch_head ON dispatches (destination, lane) WHERE head = 1;
CREATE INDEX dispatch_waiting ON dispatches (destination, lane, seq) WHERE state IN ('due', 'sending');
CREATE INDEX dispatch_open ON dispatches (seq) WHERE state IN ('due', 'sending');
CREATE INDEX dispatch_sending ON dispatches (destination, seq) WHERE state = 'sending';
CREATE INDEX dispatch_message ON dispatches (seq);
CREATE INDEX attempt_dispatch ON attempts (seq, destination);
CREATE INDEX attempt_open ON attempts (attempt_id) WHERE finished_us IS NULL;
CREATE TRIGGER count_event_new AFTER INSERT ON events BEGIN
    INSERT INTO counts VALUES ('event', NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER count_event_moved AFTER UPDATE OF state ON events WHEN OLD.state <> NEW.state BEGIN
    UPDATE counts SET n = n - 1 WHERE kind = 'event' AND name = OLD.state;
    INSERT INTO counts VALUES ('event', NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER count_dispatch_new AFTER INSERT ON dispatches BEGIN
    INSERT INTO counts VALUES ('outbox', NEW.destination, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER count_dispatch_ended AFTER UPDATE OF state ON dispatches
WHEN OLD.state IN ('due', 'sending') AND NEW.state NOT IN ('due', 'sending') BEGIN
    UPDATE counts SET n = n - 1 WHERE kind = 'outbox' AND name = NEW.destination;
END;
CREATE TRIGGER count_dispatch_reopened AFTER UPDATE OF state ON dispatches
WHEN OLD.state NOT IN ('due', 'sending') AND NEW.state IN ('due', 'sending') BEGIN
    UPDATE counts SET n = n + 1 WHERE kind = 'outbox' AND name = NEW.destination;
END;
COMMIT;
