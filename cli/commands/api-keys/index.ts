import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addApiKeysCreate } from './create.ts';
import { addApiKeysList } from './list.ts';
import { addApiKeysRevoke } from './revoke.ts';

/** `wallet api-keys create|list|revoke`. */
export function addApiKeysCommands(program: Command, start: Start): void {
  const group = program.command('api-keys').description('credentials for programs');
  addApiKeysCreate(group, start);
  addApiKeysList(group, start);
  addApiKeysRevoke(group, start);
}
