import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import {
  done,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import type { Start } from '../shared/start.ts';
import { openInBrowser } from './browser.ts';

type OpenDocsOptions = { readonly url?: string };

/** The port of the HTTP gateway, unless the server sets WALLETD_HTTP_LISTEN. */
const gatewayPort = 3000;
const maxProbeMs = 5000;

/** Adds `wallet open docs`. */
export function addOpenDocs(group: Command, start: Start): void {
  group
    .command('docs')
    .description("open the documentation of the server's HTTP API")
    .option('--url <URL>', 'address of the HTTP gateway (default: port 3000 of the server)')
    .addHelpText(
      'after',
      `
Examples:
  wallet open docs
  wallet open docs --url https://wallet.example.com

Without a terminal or a graphical session the address is printed only. The manual of this program
is in its man pages (man wallet) and in wallet help.`,
    )
    .action(async (options: OpenDocsOptions, command: Command) => {
      await start(command, (context) => runOpenDocs(context, options));
    });
}

/** `wallet open docs`: prints the address, and opens it where there is a browser. */
async function runOpenDocs(context: Context, { url }: OpenDocsOptions): Promise<CommandOutcome> {
  const found = url === undefined ? await findGateway(context) : readUrl(url);
  if (!found.ok) return found;
  const page = new URL('/docs', found.value).href;
  const reached = url === undefined ? succeed(undefined) : await probe(context, page);
  if (!reached.ok) return reached;
  const { io, environment, manner } = context;
  const canOpen = io.stdout.isTerminal && environment.hasDisplay;
  const isOpened = canOpen && (await openInBrowser(page, environment.helperEnv));
  if (manner.output === 'table') {
    await io.stdout.write(`${page}\n`);
    if (!isOpened) await context.reporter.hint('open this address in a browser');
    return done;
  }
  const columns = [
    { header: 'url', value: () => page },
    { header: 'opened', value: () => String(isOpened) },
  ];
  await printObject(context, undefined, columns, () => ({ url: page, opened: isOpened }));
  return done;
}

function readUrl(text: string): Outcome<URL> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (!url || !isWeb || url.username !== '' || url.password !== '') {
    const message = `${JSON.stringify(text)} is not an address like https://wallet.example.com`;
    return failUsage('url', message);
  }
  return succeed(url);
}

/** The gateway on the host of the server: with TLS if the server has it, else without. */
async function findGateway(context: Context): Promise<Outcome<URL>> {
  const { server, hasTls } = context.settings;
  const [host = ''] = /^(?:\[[^\]]+\]|[^:]+)/.exec(server.text) ?? [];
  let failed: Outcome<URL> = fail('UNREACHABLE', 'no documentation was found');
  for (const scheme of hasTls ? ['https', 'http'] : ['http']) {
    const url = new URL(`${scheme}://${host}:${gatewayPort}`);
    const reached = await probe(context, new URL('/docs', url).href);
    if (reached.ok) return succeed(url);
    failed = reached;
  }
  return failed;
}

/** Whether a page is there. Nothing of ours is sent with the request. */
async function probe({ settings }: Context, page: string): Promise<Outcome<undefined>> {
  const hint = 'name the gateway with --url, or read the man pages: man wallet';
  try {
    const signal = AbortSignal.timeout(Math.min(settings.timeoutMs, maxProbeMs));
    const answer = await fetch(page, { signal, redirect: 'follow' });
    await answer.body?.cancel();
    if (answer.ok) return succeed(undefined);
    return fail('UNREACHABLE', `${page} answers with HTTP status ${answer.status}`, { hint });
  } catch (error) {
    const { cause } = error as { readonly cause?: { readonly message?: string } };
    const why = cause?.message ?? (error as Error).message;
    return fail('UNREACHABLE', `${page} cannot be reached: ${why}`, { hint });
  }
}
