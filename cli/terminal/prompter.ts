import type { Io } from './io.ts';
import { toPlainLine } from './plain.ts';

/** What can be asked of a person at the terminal. Undefined: interrupted with Ctrl-C. */
export type Prompter = {
  confirm(message: string): Promise<boolean | undefined>;
  text(message: string): Promise<string | undefined>;
  password(message: string): Promise<string | undefined>;
};

/** Prompts on stderr, so that stdout stays data. The library is loaded by the first question. */
export function createPrompter(io: Io): Prompter {
  const ask = async <T>(
    question: { type: 'confirm'; default: false } | { type: 'input' } | { type: 'password' },
    text: string,
  ): Promise<T | undefined> => {
    const message = toPlainLine(text);
    const { default: inquirer } = await import('inquirer');
    const prompt = inquirer.createPromptModule({ input: io.stdin, output: process.stderr });
    try {
      const answers: unknown = await prompt([{ ...question, name: 'answer', message }]);
      return (answers as { answer: T }).answer;
    } catch (error) {
      if (error instanceof Error && error.name === 'ExitPromptError') return undefined;
      throw error;
    }
  };
  return {
    confirm: (message) => ask<boolean>({ type: 'confirm', default: false }, message),
    text: (message) => ask<string>({ type: 'input' }, message),
    password: (message) => ask<string>({ type: 'password' }, message),
  };
}
