import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Three network namespaces: the server between two networks that know nothing of each other. */
export type Networks = {
  /** A command line that runs in this namespace. */
  inside(place: Place, command: readonly string[]): string[];
  readonly serverAddress: Readonly<Record<'attacker' | 'victim', string>>;
  /** Addresses of the attacker, all of one /64. */
  readonly attackerAddresses: readonly string[];
  dispose(): void;
};

type Place = 'server' | 'attacker' | 'victim';

const port = 50051;
const attackerAddressCount = 12;

/** Needs root and `ip` of iproute2; `problem` says what is missing. */
export function findNetworkProblem(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root: run this as root';
  if (!['/sbin/ip', '/usr/sbin/ip', '/bin/ip'].some((file) => existsSync(file))) {
    return 'the command `ip` is missing: run `apt-get install iproute2`';
  }
  return undefined;
}

/** Namespaces named after this process; `dispose` removes them with everything in them. */
export function createNetworks(): Networks {
  const name = (place: Place): string => `dw-${process.pid}-${place}`;
  const places: readonly Place[] = ['server', 'attacker', 'victim'];
  for (const place of places) {
    ip('netns', 'add', name(place));
    ip('-n', name(place), 'link', 'set', 'lo', 'up');
  }
  const attackerAddresses = Array.from(
    { length: attackerAddressCount },
    (_, n) => `fd00:a::${(n + 2).toString(16)}`,
  );
  join(name('server'), name('attacker'), 'attack', ['fd00:a::1'], attackerAddresses);
  join(name('server'), name('victim'), 'people', ['fd00:b::1'], ['fd00:b::2']);
  return {
    inside: (place, command) => ['ip', 'netns', 'exec', name(place), ...command],
    serverAddress: { attacker: `[fd00:a::1]:${port}`, victim: `[fd00:b::1]:${port}` },
    attackerAddresses,
    dispose: () => {
      for (const place of places) ip('netns', 'delete', name(place));
    },
  };
}

/** A cable between two namespaces, with these addresses at its ends. */
function join(
  left: string,
  right: string,
  link: string,
  leftAddresses: readonly string[],
  rightAddresses: readonly string[],
): void {
  ip('-n', left, 'link', 'add', link, 'type', 'veth', 'peer', 'name', link, 'netns', right);
  for (const [namespace, addresses] of [
    [left, leftAddresses],
    [right, rightAddresses],
  ] as const) {
    for (const address of addresses) {
      ip('-n', namespace, 'addr', 'add', `${address}/64`, 'dev', link, 'nodad');
    }
    ip('-n', namespace, 'link', 'set', link, 'up');
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
