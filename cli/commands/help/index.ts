import type { Command } from 'commander';

import { suggest } from '../../../lib/suggest.ts';
import { helpTopics } from './topics.ts';

export const helpTopicNames = Object.keys(helpTopics);

/** `wallet help [COMMAND or TOPIC]`, in place of the library's, which has no topics. */
export function addHelpCommand(program: Command): void {
  const list = Object.entries(helpTopics).map(
    ([name, { summary }]) => `  ${name.padEnd(12)}  ${summary}`,
  );
  program
    .helpCommand(false)
    .command('help')
    .description('show help for a command, or one of the topics')
    .argument('[COMMAND_OR_TOPIC...]')
    .addHelpText(
      'after',
      `
Topics:
${list.join('\n')}

Examples:
  wallet help
  wallet help transactions list
  wallet help exit-codes`,
    )
    .action((words: readonly string[], _options: unknown, self: Command) => {
      showHelp(program, words, self);
    });
}

function showHelp(program: Command, words: readonly string[], self: Command): void {
  const [first = ''] = words;
  const topic = Object.hasOwn(helpTopics, first) ? helpTopics[first] : undefined;
  if (topic !== undefined && words.length === 1) {
    self.configureOutput().writeOut?.(`${topic.text()}\n`);
    return;
  }
  let command = program;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (!next) {
      const names = command.commands.map((each) => each.name());
      const known = command === program ? [...names, ...helpTopicNames] : names;
      const meant = suggest(word, known);
      const question = meant === undefined ? '' : `: ${meant}`;
      self.error(`there is no help for ${JSON.stringify(words.join(' '))}${question}`);
    }
    command = next;
  }
  command.outputHelp();
}
