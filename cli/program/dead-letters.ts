import type { Command } from 'commander';

import type { DeadLettersDiscardOptions } from '../commands/dead-letters/discard.ts';
import type { DeadLettersListOptions } from '../commands/dead-letters/list.ts';
import type { DeadLettersReplayOptions } from '../commands/dead-letters/replay.ts';
import type { DeadLettersShowOptions } from '../commands/dead-letters/show.ts';
import type { Start } from './start.ts';

const zoneOption = ['--timezone <ZONE>', "IANA time zone (default: the terminal's)"] as const;
const dryRunOption = ['--dry-run', 'let the server check it, and change nothing'] as const;
const id = '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11';

/** dead-letters list|show|replay|discard. */
export function addDeadLetterCommands(program: Command, start: Start): void {
  const deadLetters = program
    .command('dead-letters')
    .description('decide on messages that could not be handled (staff)');
  addReads(deadLetters, start);
  addReplay(deadLetters, start);
  addDiscard(deadLetters, start);
}

function addReads(deadLetters: Command, start: Start): void {
  addService(deadLetters.command('list').description('list dead letters'))
    .option('--state <STATE>', 'pending, replayed or discarded (default pending)')
    .option('--reason <REASON>', 'only those with this reason')
    .option('--limit <N>', 'how many at most (default 50)')
    .option('--all', 'all of them')
    .option('--page-token <TOKEN>', 'go on where a list ended')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters list
  wallet dead-letters list --service statement --state replayed --limit 10
  wallet dead-letters list --reason USER_NOT_FOUND --all -o ndjson > unknown-users.ndjson`,
    )
    .action(async (options: DeadLettersListOptions, command: Command) => {
      await start(command, async (context) => {
        const { runDeadLettersList } = await import('../commands/dead-letters/list.ts');
        return runDeadLettersList(context, options);
      });
    });

  addService(deadLetters.command('show').description('show all of one dead letter'))
    .argument('<ID>', 'its id')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters show ${id}
  wallet dead-letters show ${id} --json`,
    )
    .action(async (letterId: string, options: DeadLettersShowOptions, command: Command) => {
      await start(command, async (context) => {
        const { runDeadLettersShow } = await import('../commands/dead-letters/show.ts');
        return runDeadLettersShow(context, letterId, options);
      });
    });
}

function addReplay(deadLetters: Command, start: Start): void {
  addService(deadLetters.command('replay').description('handle dead letters once more'))
    .argument('<ID...>', 'which ones')
    .option('--body <FILE>', 'a corrected body for exactly one; - reads stdin')
    .option('--message-id <KEY>', 'the key for exactly one that came without')
    .option(...dryRunOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters replay ${id}
  wallet dead-letters replay ${id} --body corrected.json
  wallet dead-letters replay ${id} --message-id order-1042 --dry-run

With another body or an added key it is your own action: your role, the rule about wallets of your
own and the bounds of your API key apply, and you are the actor. An API key moves money only with
the scope transactions:write beside dead-letters:write; list and show need dead-letters:read.

What is decided stays decided: a dead letter is replayed at most once. After an unknown outcome
(exit code 9) run the same command again; if the first got through, this one is refused (6).`,
    )
    .action(async (ids: string[], options: DeadLettersReplayOptions, command: Command) => {
      await start(command, async (context) => {
        const { runDeadLettersReplay } = await import('../commands/dead-letters/replay.ts');
        return runDeadLettersReplay(context, ids, options);
      });
    });
}

function addDiscard(deadLetters: Command, start: Start): void {
  addService(deadLetters.command('discard').description('decide that they are never handled'))
    .argument('<ID...>', 'which ones')
    .option('--note <TEXT>', 'why, for the record')
    .option(...dryRunOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters discard ${id} --note "a test of the shop's"
  wallet dead-letters discard ${id} --service statement -y`,
    )
    .action(async (ids: string[], options: DeadLettersDiscardOptions, command: Command) => {
      await start(command, async (context) => {
        const { runDeadLettersDiscard } = await import('../commands/dead-letters/discard.ts');
        return runDeadLettersDiscard(context, ids, options);
      });
    });
}

function addService(command: Command): Command {
  return command.option('--service <SERVICE>', 'wallet or statement (default wallet)');
}
