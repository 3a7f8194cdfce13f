-- One text for SQLite and PostgreSQL. Ids and hashes are bytes, times are milliseconds since the epoch,
-- lists and objects are JSON text. SQLite has no BYTEA of its own and stores the bytes as they are.
-- No foreign keys: the writing transaction reads (and on PostgreSQL locks) what a row depends on.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO meta (name, value) VALUES ('highest_time', 0);
-- How many stops and lifts there have been. Every row that a stop may concern carries it in `as_of`.
INSERT INTO meta (name, value) VALUES ('stops', 0);

CREATE TABLE subject (
    reference BYTEA NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    upstream TEXT NOT NULL,
    cutoff BIGINT,
    is_stopped BOOLEAN NOT NULL,
    stopped BIGINT NOT NULL,
    UNIQUE (issuer, upstream)
);

-- `idle` is how long it may be idle, and `ends_at` when it is over by itself: the earlier of `expires_at` and of what
-- `last_seen` and `idle` come to. `first_task` is the task that it began when it was created.
CREATE TABLE agent (
    id TEXT NOT NULL PRIMARY KEY,
    client TEXT NOT NULL,
    issuer TEXT,
    workload TEXT,
    instance TEXT,
    class TEXT NOT NULL,
    lifetime TEXT NOT NULL,
    state TEXT NOT NULL,
    ended_at BIGINT,
    ended_why TEXT,
    stopped BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    idle BIGINT,
    expires_at BIGINT,
    ends_at BIGINT,
    software TEXT,
    version TEXT,
    image TEXT,
    first_task BYTEA
);
CREATE INDEX agent_first_seen ON agent (first_seen);
CREATE INDEX agent_live ON agent (issuer, class, ended_at) WHERE ended_at IS NULL;
CREATE INDEX agent_open_until ON agent (ends_at) WHERE ended_at IS NULL AND ends_at IS NOT NULL;

-- What an operator says of an agent. No exchange reads it, so that the rows that one reads stay small.
CREATE TABLE agent_profile (
    agent TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    contact TEXT,
    purpose TEXT,
    notes TEXT
);

-- `subject` is the user who lets the agent act; it is absent where the agent acts for itself.
-- `ended_row` is the audit row of its end, as chain and number; `to_release` says that it has ended and agents are still
-- engaged in it. `by_session` says that access tokens of its session look for it, and `by_agent` that it is not the
-- `first_task` of its agent, by which it would be found: their indexes cost a page a row, because sessions and new agents
-- come in no order.
CREATE TABLE task (
    id BYTEA NOT NULL PRIMARY KEY,
    client TEXT NOT NULL,
    agent TEXT NOT NULL,
    by_agent BOOLEAN NOT NULL,
    subject BYTEA,
    session BYTEA,
    by_session BOOLEAN NOT NULL,
    purpose TEXT,
    as_of BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_why TEXT,
    ended_row TEXT,
    to_release BOOLEAN NOT NULL
);
CREATE INDEX task_of_agent ON task (agent, id) WHERE by_agent;
CREATE INDEX task_open_until ON task (expires_at) WHERE ended_at IS NULL;
CREATE INDEX task_open_of_subject ON task (subject, id) WHERE ended_at IS NULL;
CREATE INDEX task_open ON task (id) WHERE ended_at IS NULL;
CREATE INDEX task_of_session ON task (session, client, ended_why, id) WHERE by_session;
CREATE INDEX task_to_release ON task (id) WHERE to_release;

-- `slot` is what the token is used up for, once each: the number of its earlier uses where it begins a task, else the
-- id of the task it joins. `audience` is that of an access token and absent for an ID token;
-- `known_until` is when the token itself can be used no longer, until which its uses have to be known.
CREATE TABLE login (
    id BYTEA NOT NULL PRIMARY KEY,
    task BYTEA NOT NULL,
    id_token_hash BYTEA NOT NULL,
    slot BYTEA NOT NULL,
    provider TEXT NOT NULL,
    relying_party TEXT NOT NULL,
    levels TEXT NOT NULL,
    acr TEXT,
    amr TEXT NOT NULL,
    audience TEXT,
    issued_at BIGINT NOT NULL,
    auth_time BIGINT,
    session BYTEA,
    policy_claims TEXT NOT NULL,
    as_of BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    known_until BIGINT NOT NULL,
    UNIQUE (id_token_hash, slot)
);

CREATE TABLE answer (
    login BYTEA NOT NULL,
    task BYTEA NOT NULL,
    target TEXT NOT NULL,
    scope TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (login, target, scope)
);
CREATE INDEX answer_of_task ON answer (task);

-- An agent in a task that another began. The agent that began it is named in the row of the task.
CREATE TABLE engagement (
    agent TEXT NOT NULL,
    task BYTEA NOT NULL,
    since BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (agent, task)
);
CREATE INDEX engagement_open ON engagement (task, agent) WHERE ended_at IS NULL;

-- `path` is the task's id, the ancestors' and the token's own, 16 bytes each: a task and every subtree
-- is one range of its index. `login` is absent where no user is behind the token; then the last of `actors`, whose others
-- are the chain of actors, is the agent that the token is about, and the last of `classes` is its class. `cnf` is what the
-- token is bound to: a byte, which is 1 for a key and 2 for a certificate, and the SHA-256 of it. A JWT has the `kid` of
-- the key that signed it, and an opaque token has its `claims`, sealed. `handover` says for whom a handover is and until
-- when it may be accepted, and `accepted_by` is the first agent that accepted it, which is the only one: it is written
-- where it is still empty.
CREATE TABLE token (
    jti BYTEA NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    login BYTEA,
    path BYTEA NOT NULL UNIQUE,
    actors TEXT NOT NULL,
    classes TEXT NOT NULL,
    client TEXT NOT NULL,
    target TEXT NOT NULL,
    scope TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    kid TEXT,
    claims BYTEA,
    policy TEXT NOT NULL,
    rules TEXT NOT NULL,
    as_of BIGINT NOT NULL,
    cnf BYTEA,
    handover TEXT,
    accepted_by TEXT,
    hash BYTEA NOT NULL,
    revoked_at BIGINT,
    revoked_why TEXT
);

-- What was used and may be used once only: SHA-256 over the kind, the owner and what was used.
CREATE TABLE one_time (
    hash BYTEA NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);
CREATE INDEX one_time_until ON one_time (until);

-- What a platform's credential is pinned to: the SHA-256 of its signing input, and the key or certificate as in `token`.
CREATE TABLE pin (
    credential BYTEA NOT NULL PRIMARY KEY,
    cnf BYTEA NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX pin_until ON pin (until);

CREATE TABLE signing_key (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    published_at BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    retired_at BIGINT,
    revoked_at BIGINT
);

-- The last stop of each party that was ever stopped, or its lift. `number` is the counter as that transaction raised it,
-- and `place` the last task that was ended for it, where tasks remain to be ended.
CREATE TABLE stop (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    stands BOOLEAN NOT NULL,
    not_before BIGINT,
    why TEXT NOT NULL,
    place BYTEA,
    PRIMARY KEY (kind, id)
);
CREATE INDEX stop_unfinished ON stop (number) WHERE place IS NOT NULL;

-- Every party that was ever configured.
CREATE TABLE party (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- `body` is the row and `hash` its link; the columns between are copies to search by. `agent` is left empty
-- where the row is found by its task, in which the agent is engaged: in granted exchanges.
CREATE TABLE audit (
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL CONSTRAINT audit_seq CHECK (seq >= 1),
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    outcome TEXT NOT NULL,
    request BYTEA,
    client TEXT,
    agent TEXT,
    task BYTEA,
    jti BYTEA,
    parent BYTEA,
    subject BYTEA,
    cause TEXT,
    body TEXT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (chain, seq)
);
-- `at` and `seq` are in them because the newest rows of an agent or a task are read without the others.
CREATE INDEX audit_of_agent ON audit (agent, at, seq) WHERE agent IS NOT NULL;
CREATE INDEX audit_of_task ON audit (task, at, seq) WHERE task IS NOT NULL;
CREATE INDEX audit_of_token ON audit (jti) WHERE jti IS NOT NULL;
CREATE INDEX audit_of_request ON audit (request) WHERE request IS NOT NULL;
-- Both grow at the end. The second has what is few beside the requests that were granted; the store asks by the same
-- condition, word for word.
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_notable ON audit (at) WHERE (outcome <> 'granted' OR event NOT IN
    ('exchange', 'handover', 'accept', 'revocation', 'introspection', 'pin', 'task_end', 'tasks_end', 'agent_state'));

CREATE TABLE checkpoint_key (
    chain TEXT NOT NULL PRIMARY KEY,
    public_key BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);

-- `heads` has the end of each chain at that time: a JSON object of chain to `seq` and `hash`.
CREATE TABLE checkpoint (
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL CHECK (seq >= 1),
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    heads TEXT NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (chain, seq)
);
