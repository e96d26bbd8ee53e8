-- The sample marketplace. Replica identity and publication are left to `walroute setup`.
CREATE TABLE IF NOT EXISTS listings (
    id             bigserial PRIMARY KEY,
    token_id       text,
    ens_name       text,
    seller_address text,
    price_wei      numeric(78, 0),
    currency       text,
    status         text,
    expires_at     timestamptz,
    metadata       jsonb,
    created_at     timestamptz,
    updated_at     timestamptz
);

CREATE TABLE IF NOT EXISTS offers (
    id            bigserial PRIMARY KEY,
    listing_id    bigint,
    ens_name      text,
    buyer_address text,
    amount_wei    numeric(78, 0),
    status        text,
    expires_at    timestamptz,
    created_at    timestamptz
);

CREATE TABLE IF NOT EXISTS ens_names (
    token_id      text PRIMARY KEY,
    name          text,
    owner_address text,
    expiry_date   timestamptz,
    updated_at    timestamptz
);

CREATE TABLE IF NOT EXISTS opensea_events (
    id         bigserial PRIMARY KEY,
    event_type text,
    token_id   text,
    payload    jsonb,
    created_at timestamptz
);

-- What write-backs and the simulator look up by.
CREATE INDEX IF NOT EXISTS listings_token_id ON listings (token_id);
CREATE INDEX IF NOT EXISTS offers_listing_id ON offers (listing_id);
