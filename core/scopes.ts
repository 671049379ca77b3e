/** What an API key can be allowed to do, within its owner's role. */
export const apiKeyScopes = [
  'transactions:write',
  'wallets:read',
  'statements:read',
  'users:read',
  'dead-letters:read',
  'dead-letters:write',
] as const;

export type ApiKeyScope = (typeof apiKeyScopes)[number];

export const isApiKeyScope = (value: unknown): value is ApiKeyScope =>
  (apiKeyScopes as readonly unknown[]).includes(value);
