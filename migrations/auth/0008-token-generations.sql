-- min-compatible: 1

-- Access tokens carry the generation of their user; when all tokens of a user are made void it grows, and
-- earlier generations are void from then on, whatever the clock said. A revocation without a generation
-- (of a program that knows none) counts by its time.
ALTER TABLE users ADD COLUMN token_generation bigint NOT NULL DEFAULT 0;
ALTER TABLE revocations ADD COLUMN generation bigint;
