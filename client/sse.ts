/** An event of a stream of server-sent events. */
export type ServerEvent = {
  readonly event: string;
  readonly data: string;
  /** The last `id` that the stream has had, up to this event. */
  readonly lastId: string;
  /** This event, or a comment before it, has an `id` of its own. */
  readonly hasId: boolean;
};

export type SseParser = {
  /** Takes a piece of the stream as it comes; gives the events that it completes. */
  push(text: string): ServerEvent[];
};

const maxEventLength = 4 * 1024 * 1024;

/**
 * Reads `text/event-stream` (HTML, 9.2.6). Other than in a browser an id without data is an event
 * too, whose `data` is empty: the server sends one where there is nothing new.
 */
export function createSseParser(): SseParser {
  let rest = '';
  let fields = { event: '', data: [] as string[], hasId: false };
  let lastId = '';
  const take = (line: string): ServerEvent | undefined => {
    if (line === '') {
      const { event, data, hasId } = fields;
      fields = { event: '', data: [], hasId: false };
      if (data.length === 0 && !hasId) return undefined;
      return { event: event === '' ? 'message' : event, data: data.join('\n'), lastId, hasId };
    }
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === 'event') fields.event = value;
    else if (name === 'data') fields.data.push(value);
    else if (name === 'id' && !value.includes('\0')) {
      lastId = value;
      fields.hasId = true;
    }
    return undefined;
  };
  return {
    push: (text) => {
      rest += text;
      if (rest.length > maxEventLength) throw new Error('an event of the stream is too long');
      // A carriage return at the end may have its line feed in the next piece.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      return lines.flatMap((line) => take(line) ?? []);
    },
  };
}
