import type { Command } from 'commander';

import {
  auditServices,
  decodeCursor,
  encodeCursor,
  type AuditPositions,
  type AuditService,
} from './cursor.ts';
import { findNewest, openAuditSource, type AuditFilter, type AuditSource } from './shared.ts';
import { findAccount } from '../users/accounts.ts';
import type { Context } from '../../context.ts';
import {
  exitCodes,
  failUnknown,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { auditColumns, toAuditJson, type AuditRow } from './columns.ts';
import type { ListPrinter } from '../../output/list-printer.ts';
import { noteMore, openList, type PageOptions } from '../shared/paging.ts';
import { createEmailFinder } from '../users/emails.ts';
import { addTimeRangeOptions, readTimeRange, type TimeRangeOptions } from '../shared/times.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type AuditLogOptions = PageOptions &
  TimeRangeOptions & {
    readonly actor?: string;
    readonly target?: string;
    readonly action?: string;
    readonly service?: string;
  };

/** Adds `wallet audit log`. */
export function addAuditLog(audit: Command, start: Start): void {
  const log = audit
    .command('log')
    .description('list actions, both done and refused, newest first')
    .option('--actor <USER>', 'only by this user (id or e-mail address), or part of the system')
    .option('--target <TARGET>', 'only on this: an id, an e-mail address of an account, or a name')
    .option('--action <ACTION>', 'only this action, as listed, like user.create')
    .option('--service <SERVICE>', 'auth, wallet, statement or all (default all)');
  addPageOptions(addTimeRangeOptions(log))
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet audit log
  wallet audit log --actor ana@example.com --from 2026-11-01
  wallet audit log --last 7d --action user.update
  wallet audit log --service auth --action user.update --all -o ndjson

If a service is unavailable, the events of the others are printed, a warning names the service, and
the exit code is 10. --page-token continues, with the missing events once the service is back.`,
    )
    .action(async (options: AuditLogOptions, command: Command) => {
      await start(command, (context) => runAuditLog(context, options));
    });
}

/** `wallet audit log`: the logs of the services as one, newest first. */
async function runAuditLog(context: Context, options: AuditLogOptions): Promise<CommandOutcome> {
  const list = openList(context, options, auditColumns(context.settings.timezone), toAuditJson);
  if (!list.ok) return list;
  const { printer, limit } = list.value;
  const services = checkServices(options.service ?? 'all');
  if (!services.ok) return services;
  const positions = readPositions(services.value, options.pageToken ?? '');
  if (!positions.ok) return positions;
  const filter = await readFilter(context, options);
  if (!filter.ok) return filter;
  const sources = [...positions.value].map(([service, position]) =>
    openAuditSource(context, service, filter.value, position),
  );
  const printed = await printMerged(context, printer, sources, limit);
  if (!printed.ok) return printed;
  return end(context, printer, services.value, sources);
}

/** Printed at once. */
const pageSize = 100;

/** Prints events until there are enough; fails where no service answers. */
async function printMerged(
  context: Context,
  printer: ListPrinter<AuditRow>,
  sources: readonly AuditSource[],
  limit: number,
): Promise<Outcome<undefined>> {
  let page: AuditRow[] = [];
  const { io } = context;
  const findEmails = createEmailFinder(context);
  const flush = async (): Promise<void> => {
    const emails = await findEmails(page.flatMap(({ event }) => [event.actor, event.target]));
    await printer.add(
      page.map((row) => ({
        ...row,
        actorEmail: emails.get(row.event.actor),
        targetEmail: emails.get(row.event.target),
      })),
    );
    page = [];
  };
  for (let left = limit; left > 0 && !io.stdout.fault; left -= 1) {
    const filled = await Promise.all(sources.map((source) => source.fill()));
    const refused = filled.find((outcome) => !outcome.ok);
    if (refused) {
      await flush();
      return refused;
    }
    const absences = sources.map((source) => source.absence());
    const isFirst = left === limit;
    if (isFirst && absences[0] && absences.every((absence) => absence !== undefined)) {
      return { ok: false, failure: absences[0] };
    }
    const source = findNewest(sources);
    const event = source?.head();
    if (!source || !event) break;
    source.take();
    page.push({ service: source.service, event });
    if (page.length === pageSize) await flush();
  }
  await flush();
  return succeed(undefined);
}

/** What is missing is said, and the exit code says so too. */
async function end(
  context: Context,
  printer: ListPrinter<AuditRow>,
  services: readonly AuditService[],
  sources: readonly AuditSource[],
): Promise<CommandOutcome> {
  const positions = new Map(
    sources.flatMap((source) => {
      const position = source.position();
      return position ? [[source.service, position] as const] : [];
    }),
  );
  const missing = sources.filter((source) => source.absence() !== undefined);
  const cursor = encodeCursor(services, positions);
  const missingServices = missing.map(({ service }) => service);
  const more = missing.length > 0 ? { missingServices } : {};
  await printer.end(cursor, 'no events', more);
  for (const source of missing) {
    const why = source.absence()?.message ?? '';
    const message = `events of the ${source.service} service are missing: ${why}`;
    await context.reporter.warnAlways(message);
  }
  await noteMore(context, cursor ?? '');
  return succeed(missing.length > 0 ? exitCodes.statementNotComplete : exitCodes.done);
}

function checkServices(text: string): Outcome<readonly AuditService[]> {
  if (text === 'all') return succeed(auditServices);
  const service = auditServices.find((name) => name === text);
  return service ? succeed([service]) : failUnknown('service', text, [...auditServices, 'all']);
}

function readPositions(
  services: readonly AuditService[],
  pageToken: string,
): Outcome<AuditPositions> {
  if (pageToken !== '') return decodeCursor(services, pageToken);
  return succeed(new Map(services.map((service) => [service, { token: '', after: undefined }])));
}

async function readFilter(
  context: Context,
  options: AuditLogOptions,
): Promise<Outcome<AuditFilter>> {
  const range = readTimeRange(context, options);
  if (!range.ok) return range;
  const { from, to, note } = range.value;
  const actor = await resolveName(context, options.actor);
  if (!actor.ok) return actor;
  const target = await resolveName(context, options.target);
  if (!target.ok) return target;
  const action = options.action ?? '';
  if (note !== undefined) await context.reporter.note(note);
  return succeed({ actor: actor.value, target: target.value, action, from, to });
}

/** The log names users by id. Anything but an address of an account is looked for as it is. */
async function resolveName(context: Context, text = ''): Promise<Outcome<string>> {
  if (!text.includes('@')) return succeed(text);
  const found = await findAccount(context, text);
  if (found.ok) return succeed(found.value.id);
  return found.failure.reason === 'USER_NOT_FOUND' ? succeed(text) : found;
}
