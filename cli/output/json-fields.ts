/**
 * The keys of what `--json` prints, by command (docs/cli.md, "JSON"): dotted paths, with `[]` behind
 * an array of objects. Below a path that ends in `.*` any key may come. `--field` is checked against
 * them before a command does anything. cli/test-support.ts compares each answer with them.
 */
export type JsonPaths = readonly string[];

const words = (text: string): JsonPaths => text.split(' ');
const within = (prefix: string, paths: JsonPaths): JsonPaths =>
  paths.map((path) => `${prefix}.${path}`);
const listOf = (paths: JsonPaths): JsonPaths => [...within('items[]', paths), 'nextPageToken'];

const transaction = words(
  'id walletId seq operation amount direction currency balanceAfter parentId undone counterparty ' +
    'via description merchant reference metadata.* held heldAfter availableAfter groupId ' +
    'occurredAt replayed dryRun',
);
const balance = words(
  'walletId userId currency balance available held overdraftLimit seq status asOf',
);
const hold = words(
  'id walletId userId amount captured left currency state for placedAt expiresAt closedAt',
);
const holdTransaction = [...transaction, ...within('hold', hold)];
const walletTerms = [
  ...words('userId currency number overdraftLimit default timezone'),
  ...within('limits[]', words('name limit used left resetsAt')),
  ...words('asOf dryRun'),
];
const exported = words(
  'id status userId walletId currency from to timezone locale format holds rows rowsDone bytes sha256 ' +
    'requestedBy createdAt finishedAt expiresAt failure mail mailFailure file proof dryRun',
);
const line = words(
  'seq date transactionId operation description merchant debit credit balance held heldBalance',
);
const statement = [
  ...words('walletId currency from to timezone opening totalDebit totalCredit closing'),
  ...words('heldClosing availableClosing'),
  ...within('lines[]', line),
  ...words('behindBy inconsistency'),
];
const user = words('id email role disabled emailVerified createdAt totpEnabled');
const wallet = words(
  'id userId currency balance available held overdraftLimit seq status lastAt dryRun',
);
const session = words('id userId client createdAt lastUsedAt expiresAt current kind');
const apiKey = words(
  'id ownerId name prefix scopes walletId operations createdAt expiresAt lastUsedAt revoked',
);
const deadLetter = words(
  'id service queue messageId reason field body state createdAt decidedAt decidedBy result ' +
    'producer altered receivedCount receivedAt dryRun',
);
const auditEvent = words(
  'id service occurredAt actor actorRole action target result requestId details.*',
);
const identity = [
  ...within('user', words('id email role')),
  ...words('server profile'),
  ...within('credential', [
    ...words('source expiresAt sessionExpiresAt'),
    ...within('apiKey', words('id name prefix scopes walletId operations')),
  ]),
];
const setting = words('key value origin');
const batchSummary = [
  ...words('rows done replayed rejected unknown invalid waiting complete results dryRun'),
  ...within('totals[]', words('status operation currency rows amount')),
];
const finding = words('check state message fix details.*');

export const jsonFields: Readonly<Record<string, JsonPaths>> = {
  'sign-up': [...user, 'verificationRequired'],
  'verify-email': user,
  'reset-password': words('requested email revokedSessions revokedApiKeys keptApiKeys'),
  'change-email': [...words('requested newEmail'), ...user],
  'sign-in': identity,
  'sign-out': words('profile server revoked'),
  whoami: identity,
  'change-password': words(
    'changed otherSessionsRevoked revokedSessions revokedApiKeys keptSessions keptApiKeys',
  ),
  'totp enable': words('secret uri expiresAt enabled revokedSessions recoveryCodes'),
  'totp disable': words('enabled revokedSessions'),
  'totp recovery-codes': words('recoveryCodes'),
  'totp status': words('enabled enabledAt required recoveryCodesLeft'),
  deposit: transaction,
  withdraw: transaction,
  purchase: transaction,
  transfer: transaction,
  hold: holdTransaction,
  capture: holdTransaction,
  release: holdTransaction,
  cancel: transaction,
  reverse: transaction,
  balance: [...balance, ...listOf(balance)],
  'transactions list': listOf(transaction),
  'transactions show': transaction,
  'statement show': [
    'status',
    ...within('statement', statement),
    ...within('export', exported),
    'nextPageToken',
  ],
  'statement export': exported,
  'statement verify': [
    ...words('file proof walletId userId currency from to timezone lines firstSeq lastSeq'),
    ...words('opening totalDebit totalCredit closing periodProved'),
    ...within('checkpoint', words('time wallets root keyId keyOrigin keyServer')),
  ],
  'exports list': listOf([...exported, 'userEmail']),
  'exports show': exported,
  'exports wait': exported,
  'exports download': exported,
  'wallets list': listOf([...wallet, 'userEmail']),
  'wallets freeze': wallet,
  'wallets unfreeze': wallet,
  'wallets close': [...wallet, ...within('transaction', transaction)],
  'wallets reopen': wallet,
  'holds list': listOf([...hold, 'userEmail']),
  'holds show': hold,
  'limits show': walletTerms,
  'limits set': walletTerms,
  'limits clear': walletTerms,
  'batch run': batchSummary,
  'batch reverse': batchSummary,
  'group run': [
    ...within('items[]', words('row status operation amount currency user userId transactionId')),
    ...within('items[]', words('balance reason field message')),
    ...words('groupId status dryRun'),
  ],
  'users list': listOf(user),
  'users show': user,
  'users create': user,
  'users set-role': user,
  'users disable': user,
  'users enable': user,
  'users revoke-all': words('userId revokedSessions revokedApiKeys'),
  'sessions list': listOf(session),
  'sessions revoke': words('revoked'),
  'api-keys create': [...apiKey, 'secret'],
  'api-keys list': listOf(apiKey),
  'api-keys revoke': apiKey,
  'audit log': [...listOf([...auditEvent, ...words('actorEmail targetEmail')]), 'missingServices'],
  'audit checkpoints': listOf(
    words('number takenAt wallets transactions root keyId text signature'),
  ),
  'audit verify': [...listOf(words('wallet seq kind detail')), 'findings'],
  'dead-letters list': listOf(deadLetter),
  'dead-letters show': deadLetter,
  'dead-letters replay': listOf(deadLetter),
  'dead-letters discard': listOf(deadLetter),
  'config list': listOf(setting),
  'config get': setting,
  'config set': [],
  'profiles list': listOf(words('name current server signedIn')),
  'profiles use': [],
  'profiles rename': words('name previousName'),
  'profiles remove': words('name revoked'),
  doctor: [...listOf(finding), 'state'],
  version: words('version node platform arch'),
  'open docs': words('url opened'),
  completion: [],
  help: [],
};
