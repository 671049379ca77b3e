import type { CreatedEvent } from '../../../core/created-event.ts';

/**
 * What this process has published a moment ago. A consumer of ours that gets the very bytes back
 * need not read the JSON in them.
 */
export type Echoes = {
  /** Somebody here will ask for them: without that nothing is kept. */
  expect(): void;
  note(messageId: string, body: Buffer, event: CreatedEvent): void;
  /** The event of these bytes, once. */
  take(messageId: string, body: Buffer): CreatedEvent | undefined;
};

/** The oldest are put out: what comes back late is read like anybody's. */
export function createEchoes(maxMessages: number): Echoes {
  let isExpected = false;
  const noted = new Map<string, { readonly body: Buffer; readonly event: CreatedEvent }>();
  return {
    expect: () => {
      isExpected = true;
    },
    note: (messageId, body, event) => {
      if (!isExpected) return;
      if (noted.size >= maxMessages) {
        for (const oldest of noted.keys()) {
          noted.delete(oldest);
          break;
        }
      }
      noted.set(messageId, { body, event });
    },
    take: (messageId, body) => {
      const found = noted.get(messageId);
      if (!found?.body.equals(body)) return undefined;
      noted.delete(messageId);
      return found.event;
    },
  };
}
