import type { Command } from 'commander';

import type { AuditLogOptions } from '../commands/audit/log.ts';
import { addPageOptions, addZoneOption } from './options.ts';
import type { Start } from './start.ts';

/** audit log. */
export function addAuditCommands(program: Command, start: Start): void {
  const audit = program.command('audit').description('look into who did what (admins)');
  const log = audit
    .command('log')
    .description('list what was done and refused, newest first')
    .option('--actor <USER>', 'only by this user (id or e-mail address), or part of the system')
    .option('--target <TARGET>', 'only on this: an id, an e-mail address of an account, or a name')
    .option('--action <ACTION>', 'only this action, as listed, like user.create')
    .option('--from <TIME>', 'a date or a time')
    .option('--to <TIME>', 'a date, that day included, or a time, itself not')
    .option('--service <SERVICE>', 'auth, wallet, statement or all (default all)');
  addZoneOption(addPageOptions(log))
    .addHelpText(
      'after',
      `
Examples:
  wallet audit log
  wallet audit log --actor ana@example.com --from 2026-11-01
  wallet audit log --service auth --action user.update --all -o ndjson

If a service is away, the events of the others are printed, it is said whose are missing, and the
exit code is 10. --page-token goes on, with the missing ones once the service is back.`,
    )
    .action(async (options: AuditLogOptions, command: Command) => {
      await start(command, async (context) => {
        const { runAuditLog } = await import('../commands/audit/log.ts');
        return runAuditLog(context, options);
      });
    });
}
