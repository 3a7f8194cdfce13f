//! The tables, as in `migrations/`. One schema for both databases.

use diesel::sql_types::{Binary, Integer};

diesel::table! {
    meta (name) {
        name -> Text,
        value -> BigInt,
    }
}

diesel::table! {
    subject (reference) {
        reference -> Binary,
        issuer -> Text,
        upstream -> Text,
        cutoff -> Nullable<BigInt>,
        is_stopped -> Bool,
        stopped -> BigInt,
    }
}

diesel::table! {
    agent (id) {
        id -> Text,
        client -> Text,
        issuer -> Nullable<Text>,
        workload -> Nullable<Text>,
        instance -> Nullable<Text>,
        class -> Text,
        lifetime -> Text,
        state -> Text,
        ended_at -> Nullable<BigInt>,
        ended_why -> Nullable<Text>,
        stopped -> BigInt,
        first_seen -> BigInt,
        last_seen -> BigInt,
        idle -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        ends_at -> Nullable<BigInt>,
        software -> Nullable<Text>,
        version -> Nullable<Text>,
        image -> Nullable<Text>,
        first_task -> Nullable<Binary>,
    }
}

diesel::table! {
    task (id) {
        id -> Binary,
        client -> Text,
        agent -> Text,
        by_agent -> Bool,
        subject -> Nullable<Binary>,
        session -> Nullable<Binary>,
        by_session -> Bool,
        purpose -> Nullable<Text>,
        as_of -> BigInt,
        started_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_why -> Nullable<Text>,
        ended_row -> Nullable<Text>,
        to_release -> Bool,
    }
}

diesel::table! {
    login (id) {
        id -> Binary,
        task -> Binary,
        id_token_hash -> Binary,
        slot -> Binary,
        provider -> Text,
        relying_party -> Text,
        levels -> Text,
        acr -> Nullable<Text>,
        amr -> Text,
        audience -> Nullable<Text>,
        issued_at -> BigInt,
        auth_time -> Nullable<BigInt>,
        session -> Nullable<Binary>,
        policy_claims -> Text,
        as_of -> BigInt,
        ends_at -> BigInt,
        known_until -> BigInt,
    }
}

diesel::table! {
    answer (login, target, scope) {
        login -> Binary,
        task -> Binary,
        target -> Text,
        scope -> Text,
        sealed -> Binary,
    }
}

diesel::table! {
    engagement (agent, task) {
        agent -> Text,
        task -> Binary,
        since -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    token (jti) {
        jti -> Binary,
        kind -> Text,
        login -> Nullable<Binary>,
        path -> Binary,
        actors -> Text,
        classes -> Text,
        client -> Text,
        target -> Text,
        scope -> Text,
        issued_at -> BigInt,
        expires_at -> BigInt,
        kid -> Nullable<Text>,
        claims -> Nullable<Binary>,
        policy -> Text,
        rules -> Text,
        as_of -> BigInt,
        cnf -> Nullable<Binary>,
        handover -> Nullable<Text>,
        accepted_by -> Nullable<Text>,
        hash -> Binary,
        revoked_at -> Nullable<BigInt>,
        revoked_why -> Nullable<Text>,
    }
}

diesel::table! {
    one_time (hash) {
        hash -> Binary,
        until -> BigInt,
    }
}

diesel::table! {
    pin (credential) {
        credential -> Binary,
        cnf -> Binary,
        until -> BigInt,
    }
}

diesel::table! {
    signing_key (kid) {
        kid -> Text,
        algorithm -> Text,
        public_jwk -> Text,
        sealed -> Binary,
        published_at -> BigInt,
        active_from -> BigInt,
        retired_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    agent_profile (agent) {
        agent -> Text,
        owner -> Text,
        contact -> Nullable<Text>,
        purpose -> Nullable<Text>,
        notes -> Nullable<Text>,
    }
}

diesel::table! {
    party (kind, id) {
        kind -> Text,
        id -> Text,
    }
}

diesel::table! {
    stop (kind, id) {
        kind -> Text,
        id -> Text,
        number -> BigInt,
        at -> BigInt,
        stands -> Bool,
        not_before -> Nullable<BigInt>,
        why -> Text,
        place -> Nullable<Binary>,
    }
}

diesel::table! {
    audit (chain, seq) {
        chain -> Text,
        seq -> BigInt,
        at -> BigInt,
        event -> Text,
        outcome -> Text,
        request -> Nullable<Binary>,
        client -> Nullable<Text>,
        agent -> Nullable<Text>,
        task -> Nullable<Binary>,
        jti -> Nullable<Binary>,
        parent -> Nullable<Binary>,
        subject -> Nullable<Binary>,
        cause -> Nullable<Text>,
        body -> Text,
        hash -> Binary,
    }
}

diesel::table! {
    checkpoint_key (chain) {
        chain -> Text,
        public_key -> Binary,
        sealed -> Binary,
    }
}

diesel::table! {
    checkpoint (chain, seq) {
        chain -> Text,
        seq -> BigInt,
        hash -> Binary,
        at -> BigInt,
        heads -> Text,
        signature -> Binary,
    }
}

diesel::define_sql_function! {
    /// So many bytes of `bytes`, from the one with this number, which counts from 1.
    fn substr(bytes: Binary, from: Integer, length: Integer) -> Binary;
}

diesel::allow_tables_to_appear_in_same_query!(answer, audit, engagement, login, subject, task, token, agent,);
