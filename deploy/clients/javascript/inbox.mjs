// What has been processed: one CloudEvent a line, in a file that outlives the program.
//
// Repeats are told by `source` and `id`, gaps by `previoussequence`. A line is on the disk before `process` returns, so before
// the broker is told that the event is done with: a program that dies in between gets the event again, and tells the repeat.
// A service with a database writes its own changes and the event's id in one transaction instead, and needs no file.

import fs from "node:fs";

const NONE_BEFORE = "0".repeat(20);

export class Inbox {
  #ids = new Set();
  #sequences = new Set();
  #file;

  constructor(path) {
    this.#file = fs.openSync(path, "a+");
    const text = fs.readFileSync(path);
    // What follows the last whole line was cut off when the program died: that event was not processed.
    const wholeBytes = text.lastIndexOf("\n") + 1;
    fs.ftruncateSync(this.#file, wholeBytes);
    for (const line of text.subarray(0, wholeBytes).toString().split("\n").slice(0, -1)) this.#remember(JSON.parse(line));
  }

  /** Takes an event, unless it is a repeat; says when one before it is missing. */
  process(event) {
    if (this.#ids.has(`${event.source} ${event.id}`)) {
      this.#remember(event); // another sequence than before, if Horizon's store was restored meanwhile
      return console.log(`repeat ${event.id}`);
    }
    const previous = event.previoussequence;
    if (previous !== NONE_BEFORE && !this.#sequences.has(`${event.source} ${previous}`)) {
      // The event is good all the same. Whether to go on, as here, is for each service to say.
      console.log(`gap ${event.source} key ${event.partitionkey} ${event.type}: ${previous} should have come before ${event.sequence}`);
    }
    try {
      fs.writeSync(this.#file, JSON.stringify(event) + "\n");
      fs.fsyncSync(this.#file);
    } catch (error) {
      console.error(`the inbox cannot be written: ${error.message}`);
      process.exit(1); // nothing is acknowledged; start again when it can
    }
    this.#remember(event);
    console.log(`processed ${event.id}`);
  }

  #remember({ source, id, sequence }) {
    this.#ids.add(`${source} ${id}`);
    this.#sequences.add(`${source} ${sequence}`);
  }
}
