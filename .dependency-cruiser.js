const only = (name, from, to, comment) => ({ name, severity: 'error', comment, from, to });
const tests = '(\\.test|test-support)\\.ts$';

/** The parts of the wallet service, from the top; consumers of messages stand beside the RPCs. */
const walletLayers = [
  ['index', '^daemon/wallet/(index|host)\\.ts$'],
  ['rpc', '^daemon/wallet/(rpc/|events/(emitted-consumer|replay)\\.ts$)'],
  ['commit', '^daemon/wallet/commit/'],
  ['events', '^daemon/wallet/events/(?!(emitted-consumer|replay)\\.ts$)'],
  ['requests', '^daemon/wallet/requests/'],
  ['store', '^daemon/wallet/store/'],
];
const walletRules = walletLayers
  .slice(1)
  .map(([name, path], i) =>
    only(
      `wallet-layer-${name}`,
      { path, pathNot: tests },
      { path: walletLayers.slice(0, i + 1).map(([, above]) => above) },
      'index > rpc > commit > events > requests > store > domain.',
    ),
  );

/** The directions that must never exist (ARCHITECTURE.md). Type-only imports count. */
export default {
  forbidden: [
    only('no-circles', {}, { circular: true }, 'Two files that need each other are one file.'),
    only('cli-not-daemon', { path: '^cli/' }, { path: '^daemon/' }, 'They meet in protos only.'),
    only('daemon-not-cli', { path: '^daemon/' }, { path: '^cli/' }, 'They meet in protos only.'),
    only(
      'services-apart',
      { path: '^daemon/(auth|wallet|statement)/' },
      { path: '^daemon/(auth|wallet|statement)/', pathNot: '^daemon/$1/' },
      'Services talk through gRPC or the broker.',
    ),
    only(
      'service-by-its-door',
      { path: '^daemon/', pathNot: '^daemon/(auth|wallet|statement)/' },
      { path: '^daemon/(auth|wallet|statement)/', pathNot: '/index\\.ts$' },
      'A service is imported through its index only.',
    ),
    only(
      'platform-knows-no-service',
      { path: '^daemon/platform/' },
      { path: '^daemon/', pathNot: '^daemon/platform/' },
      'Mechanisms know neither services nor configuration.',
    ),
    // Layers of daemon/platform, from the top.
    only(
      'platform-dead-letters-on-top',
      { path: '^daemon/platform/(?!dead-letters/)', pathNot: tests },
      { path: '^daemon/platform/dead-letters/' },
      'dead-letters/ > audit/, status/ > outbox/, grpc/ > broker/ > db/, access/ > the rest.',
    ),
    only(
      'platform-audit-below-dead-letters',
      { path: '^daemon/platform/(?!dead-letters/|audit/)', pathNot: tests },
      { path: '^daemon/platform/audit/' },
    ),
    only(
      'platform-outbox-and-grpc-above-broker',
      { path: '^daemon/platform/(?!dead-letters/|audit/|status/|outbox/|grpc/)', pathNot: tests },
      { path: '^daemon/platform/(outbox|grpc)/' },
    ),
    only(
      'platform-outbox-and-grpc-apart',
      { path: '^daemon/platform/(outbox|grpc)/', pathNot: tests },
      { path: '^daemon/platform/(outbox|grpc)/', pathNot: '^daemon/platform/$1/' },
    ),
    only(
      'platform-broker-above-db',
      { path: '^daemon/platform/(db|access|mail|concurrency|progress|[^/]+\\.ts)', pathNot: tests },
      { path: '^daemon/platform/broker/' },
    ),
    only(
      'platform-db-and-access-above-the-rest',
      { path: '^daemon/platform/(mail/|concurrency/|[^/]+\\.ts)', pathNot: tests },
      { path: '^daemon/platform/(db|access)/' },
    ),
    only(
      'grpc-ingress-below-admission',
      { path: '^daemon/platform/grpc/ingress/', pathNot: tests },
      { path: '^daemon/platform/grpc/(?!ingress/)' },
      'Connections and frames know nothing of calls.',
    ),
    only(
      'grpc-admission-below-calls',
      { path: '^daemon/platform/grpc/admission/', pathNot: tests },
      { path: '^daemon/platform/grpc/(?!ingress/|admission/)' },
      'Admission limits know nothing of how a call is read or answered.',
    ),
    only(
      'grpc-ways-apart',
      { path: '^daemon/platform/grpc/(fast-path|caller|streams)/', pathNot: tests },
      { path: '^daemon/platform/grpc/(server|drain|health-service)\\.ts$' },
      'The server is composed at the root.',
    ),
    only(
      'core-and-protos-below-all',
      { path: '^(core|lib|protos)/', pathNot: tests },
      { path: '^(cli|client|daemon|bench|tests|scripts)/' },
      'They are what both sides share.',
    ),
    only(
      'core-imports-nothing',
      { path: '^core/', pathNot: tests },
      { pathNot: ['^core/', '^crypto$', '^node:crypto$'] },
    ),
    only(
      'client-on-core-only',
      { path: '^client/', pathNot: tests },
      { pathNot: ['^client/', '^core/'] },
      'The TypeScript client runs wherever fetch does.',
    ),
    only(
      'domain-is-pure',
      { path: '[/-]domain[a-z-]*\\.ts$', pathNot: tests },
      { pathNot: ['^core/', '/domain[a-z-]*\\.ts$'] },
    ),
    ...walletRules,
    only(
      'gateway-outside-services',
      { path: '^daemon/gateway/' },
      { path: '^daemon/(auth|wallet|statement)/' },
    ),
    only(
      'pg-in-its-place',
      {
        path: '^(cli|daemon|core)/',
        pathNot: ['^daemon/platform/(db|migrate)', '^daemon/embedded/', tests],
      },
      { path: 'node_modules/(@types/)?pg/' },
    ),
    only(
      'amqplib-in-its-place',
      { path: '^(cli|daemon|core)/', pathNot: ['^daemon/platform/broker', tests] },
      { path: 'node_modules/(@types/)?amqplib/' },
    ),
    only(
      'grpc-in-its-place',
      {
        path: '^(cli|daemon|core)/',
        pathNot: ['^daemon/platform/grpc/', '^daemon/gateway/client', '^cli/rpc/', tests],
      },
      { path: 'node_modules/@grpc/' },
    ),
    // The layers of the command line, from below: each may import those before it, and none after.
    ...[
      ['config', 'terminal|rpc|credentials|context|output|commands|program|run|main'],
      ['terminal', 'rpc|credentials|context|output|commands|program|run|main'],
      ['rpc', 'credentials|context|output|commands|program|run|main'],
      ['credentials', 'terminal|context|output|commands|program|run|main'],
      ['context', 'output|commands|program|run|main'],
      ['output', 'commands|program|run|main'],
      ['commands', 'program|run|main'],
    ].map(([layer, above]) =>
      only(
        `cli-${layer}-below-its-users`,
        { path: `^cli/${layer}(/|\\.ts$)`, pathNot: tests },
        { path: `^cli/(${above})(/|\\.ts$)` },
        'cli: main > run > program > commands > output > context > credentials > rpc, terminal > config.',
      ),
    ),
    only(
      'no-production-on-tests',
      { path: '^(cli|client|daemon|core|protos)/', pathNot: tests },
      { path: ['^tests/', tests] },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
