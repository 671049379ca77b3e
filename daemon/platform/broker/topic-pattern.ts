/**
 * Whether a topic exchange of AMQP routes a key to a binding with this pattern. Words are separated
 * by dots; `*` stands for exactly one word, `#` for any number of words, also none.
 */
export function matchesTopic(pattern: string, routingKey: string): boolean {
  const words = split(routingKey);
  // Which numbers of leading words the pattern's part so far can stand for.
  let reached = words.map(() => false);
  reached.unshift(true);
  for (const part of split(pattern)) {
    if (part === '#') {
      const first = reached.indexOf(true);
      reached = reached.map((_, count) => first >= 0 && count >= first);
    } else {
      reached = reached.map(
        (_, count) => reached[count - 1] === true && (part === '*' || part === words[count - 1]),
      );
    }
  }
  return reached.at(-1) === true;
}

/** RabbitMQ takes an empty key for no words, and an empty word between two dots for a word. */
const split = (text: string): string[] => (text === '' ? [] : text.split('.'));
