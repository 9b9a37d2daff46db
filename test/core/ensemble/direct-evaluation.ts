import type { Values } from './fake-step.js';
import type { AnyModel, EnsembleModel, StepPlan } from './random-ensemble.js';

/** What comes of a request. */
export interface Outcome {
  /** By answer, by output that was asked for; null = it is missing. */
  readonly answers: readonly Values[];
  /** Texts of the errors, one of which is told; none = it is answered. */
  readonly errors: ReadonlySet<string>;
}

/** Rows; null = it is missing; undefined = it is never known, because a step failed. */
type Known = Map<string, readonly number[] | null | undefined>;

/** An ensemble evaluated by the book: level by level, one step after the other. */
export class DirectEvaluation {
  readonly #ensemble: EnsembleModel;
  readonly #outputs: readonly string[];
  readonly #steps: readonly StepPlan[];
  readonly #answers: Values[] = [];
  readonly #errors = new Set<string>();

  private constructor(ensemble: EnsembleModel, outputs: readonly string[]) {
    this.#ensemble = ensemble;
    this.#outputs = outputs;
    this.#steps = ensemble.steps.filter((step) => outputs.some((tensor) => this.#needs(tensor, step)));
  }

  /** @param given by input of the ensemble */
  static of(ensemble: EnsembleModel, given: Values, outputs: readonly string[]): Outcome {
    const evaluation = new DirectEvaluation(ensemble, outputs);
    evaluation.#pass(0, new Map(ensemble.inputs.map((name, nth) => [name, given[nth]!])));
    return { answers: evaluation.#answers, errors: evaluation.#errors };
  }

  #pass(level: number, known: Known): void {
    const later: { readonly step: StepPlan; readonly answers: readonly Values[] }[] = [];
    for (const step of this.#steps.filter((candidate) => this.#levelOf(candidate) === level)) {
      const answers = this.#run(step, known);
      if (step.of.served.isDecoupled) later.push({ step, answers: answers ?? [] });
      else write(known, step, answers?.[0]);
    }
    if (level === this.#depth) this.#answer(known);
    else {
      const passes = Math.max(0, ...later.map(({ answers }) => answers.length));
      for (let number = 0; number < passes; number++) {
        const below = new Map(known);
        for (const { step, answers } of later) write(below, step, answers[number] ?? step.writes.map(() => null));
        this.#pass(level + 1, below);
      }
    }
  }

  /** Its answers; null = it does not run, or fails, and what it writes is never known. */
  #run(step: StepPlan, known: Known): readonly Values[] | null {
    const given = step.reads.map((tensor) => (tensor === null ? null : known.get(tensor)));
    if (given.includes(undefined)) return null;
    const values = given as Values;
    const { tensors } = step.of.served;
    if (values.some((rows, nth) => rows === null && !tensors.inputs[nth]!.optional)) return missing(step);
    const { answers, errors } = outcomeOf(step.of, values, this.#readOutputs(step));
    for (const error of errors) this.#errors.add(`in ensemble '${this.#ensemble.served.name}', ${error}`);
    return errors.size > 0 && !step.of.served.isDecoupled ? null : answers;
  }

  #answer(known: Known): void {
    const answer = this.#outputs.map((tensor) => known.get(tensor));
    if (answer.includes(undefined)) return;
    if (this.#depth === 0 && answer.includes(null) && this.#errors.size === 0) {
      const why = 'unexpected deadlock, at least one output is not set while no more ensemble steps can be made';
      this.#errors.add(`in ensemble '${this.#ensemble.served.name}', [request id: <id_unknown>] ${why}`);
    }
    this.#answers.push(answer as Values);
  }

  get #depth(): number {
    return Math.max(0, ...this.#outputs.map((tensor) => this.#tensorLevel(tensor)));
  }

  #levelOf(step: StepPlan): number {
    return Math.max(...step.reads.map((tensor) => (tensor === null ? 0 : this.#tensorLevel(tensor))));
  }

  #tensorLevel(tensor: string): number {
    const writer = this.#writerOf(tensor);
    return writer === undefined ? 0 : this.#levelOf(writer) + (writer.of.served.isDecoupled ? 1 : 0);
  }

  #writerOf(tensor: string): StepPlan | undefined {
    return this.#ensemble.steps.find(({ writes }) => writes.includes(tensor));
  }

  #needs(tensor: string, step: StepPlan): boolean {
    const writer = this.#writerOf(tensor);
    if (writer === undefined) return false;
    return writer === step || writer.reads.some((read) => read !== null && this.#needs(read, step));
  }

  /** Those that somebody reads, by output of its model. */
  #readOutputs(step: StepPlan): readonly boolean[] {
    const read = new Set([...this.#outputs, ...this.#steps.flatMap(({ reads }) => reads)]);
    return step.writes.map((tensor) => tensor !== null && read.has(tensor));
  }
}

function outcomeOf(model: AnyModel, given: Values, isRead: readonly boolean[]): Outcome {
  if (model.kind === 'ensemble') {
    const outputs = model.outputs.filter((_, nth) => isRead[nth]);
    const { answers, errors } = DirectEvaluation.of(model, given, outputs);
    const all = answers.map((values) =>
      isRead.map((read, nth) => (read ? values[outputs.indexOf(model.outputs[nth]!)]! : null)),
    );
    return { answers: all, errors };
  }
  const { kind, answers } = model.deed(given);
  const { name } = model.served;
  if (kind === 'answers') return { answers, errors: new Set() };
  if (kind === 'fails') return { answers: answers.slice(0, -1), errors: new Set([`${name} failed`]) };
  return { answers: [], errors: new Set([kind === 'refuses' ? `${name} refuses` : `${name} has no room`]) };
}

function missing(step: StepPlan): readonly Values[] {
  return step.of.served.isDecoupled ? [] : [step.writes.map(() => null)];
}

function write(known: Known, step: StepPlan, values: Values | undefined): void {
  for (const [nth, tensor] of step.writes.entries()) {
    if (tensor !== null) known.set(tensor, values === undefined ? undefined : values[nth]!);
  }
}
