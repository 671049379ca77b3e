import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addDeadLettersDiscard } from './discard.ts';
import { addDeadLettersList } from './list.ts';
import { addDeadLettersReplay } from './replay.ts';
import { addDeadLettersShow } from './show.ts';

/** `wallet dead-letters list|show|replay|discard`. */
export function addDeadLettersCommands(program: Command, start: Start): void {
  const group = program
    .command('dead-letters')
    .description('replay or discard messages that could not be processed (staff)');
  addDeadLettersList(group, start);
  addDeadLettersShow(group, start);
  addDeadLettersReplay(group, start);
  addDeadLettersDiscard(group, start);
}
