import type { ServerError } from '../../types/errors.js';
import type { Shape } from '../../types/tensor.js';
import type { InferResponse } from '../infer-response.js';
import type { Pass, Route, RouteStep } from './route.js';
import { Source } from './source.js';
import { type StepOwner, StepRun } from './step-run.js';

/** Of most passes there is nothing to remember of decoupled steps. */
const NOTHING: never[] = [];

/** The request that goes through. */
export interface FlowOwner {
  readonly steps: { readonly route: Route };
  /** No step begins any more. */
  readonly isAborted: boolean;
  /** A step can begin. */
  startStep(run: StepRun): void;
  /** It answers no more. */
  runEnded(run: StepRun): void;
  stepFailed(run: StepRun, error: ServerError): void;
  /** A step waits until one of its answers is read. True = no client reads what comes of them, and the request ends. */
  onStalled(run: StepRun): boolean;
  /** What a step's answer took. */
  addTimes(response: InferResponse): void;
  /** All that was asked for is there, or is known to be missing. `isLast`: no further answer can come. */
  onAnswer(flow: Flow, isLast: boolean): void;
  /** Every step is over, and all answers are given. */
  onOver(): void;
}

/**
 * One pass through the steps of one level of an ensemble: all of them, where none is decoupled. Each answer of a decoupled step begins a pass of the next level,
 * which finds the tensors of this one too; answers with one number belong to one pass, whichever step they are of.
 *
 * A tensor is settled when it is there or known to be missing; a step starts when all that it reads is settled.
 */
export class Flow implements StepOwner {
  readonly level: number;
  /** By tensor of the graph: where it lies, while somebody has to read it. Null = it is missing, or not there yet. */
  readonly sources: (Source | null)[];
  readonly begins: number[];
  readonly bytes: number[];
  readonly shapes: (Shape | null)[];
  readonly #request: FlowOwner;
  readonly #route: Route;
  readonly #pass: Pass;
  readonly #parent: Flow | null;
  readonly #isSettled: boolean[];
  /** By place in the route: tensors to settle before it starts; -1 = it has started, or is another level's. */
  readonly #waits: number[];
  /** Steps of this level that are not over. */
  #openSteps: number;
  #openOutputs: number;
  /** Passes of the next level, by the number of the answer; null = that one is over. */
  #passes: (Flow | null)[] = NOTHING;
  /** Of the first of them that is not over. */
  #firstOpen = 0;
  /** Decoupled steps that have given all their answers. */
  #ended: StepRun[] = NOTHING;
  #isAnswered = false;
  #isEnded = false;
  /** Answers of decoupled steps that it came of. */
  #origins: Source[] = NOTHING;
  /** Itself until it is over, passes below, and its answer until that is read: as long as there is one, those of `#origins` count as not read. */
  #unread = 1;

  constructor(request: FlowOwner, parent: Flow | null) {
    const { route } = request.steps;
    const tensors = route.readers.length;
    this.level = parent === null ? 0 : parent.level + 1;
    this.#request = request;
    this.#route = route;
    this.#parent = parent;
    const pass = route.passes[this.level]!;
    this.#pass = pass;
    this.sources = new Array(tensors).fill(null);
    this.begins = new Array(tensors).fill(0);
    this.bytes = new Array(tensors).fill(0);
    this.shapes = new Array(tensors).fill(null);
    this.#isSettled = new Array(tensors).fill(false);
    this.#waits = pass.waits.slice();
    this.#openSteps = pass.steps;
    this.#openOutputs = route.outputs.length;
    if (parent !== null) parent.#unread++;
  }

  /** Every step of it and below is over, and it gave its answer. */
  get isOver(): boolean {
    if (this.#openSteps > 0 || this.#firstOpen < this.#passes.length) return false;
    return this.level < this.#route.depth || this.#isAnswered;
  }

  /** A tensor is there: bytes `begin` and following of what `source` holds. */
  put(tensor: number, source: Source, begin: number, bytes: number, shape: Shape): void {
    // Nobody would say that it is read.
    if (this.#isClosed()) return;
    this.sources[tensor] = source;
    this.begins[tensor] = begin;
    this.bytes[tensor] = bytes;
    this.shapes[tensor] = shape;
    source.claim(this.#pass.readers[tensor]!);
  }

  /** Everybody hears that the tensor is there, or is missing. */
  settle(tensor: number): void {
    if (this.#isSettled[tensor] || this.#request.isAborted) return;
    this.#isSettled[tensor] = true;
    if (this.#pass.isOutput[tensor]) this.#openOutputs--;
    for (const place of this.#route.readers[tensor]!) {
      if (this.#waits[place]! > 0 && --this.#waits[place]! === 0) this.#start(place);
    }
    for (const pass of this.#passes) pass?.inherit(this, tensor);
  }

  inherit(from: Flow, tensor: number): void {
    this.#adopt(from, tensor);
    this.proceed();
  }

  /** Answers, where everything for that is there; then says whether it is over. */
  proceed(): void {
    if (this.#request.isAborted) return;
    if (this.level === this.#route.depth && !this.#isAnswered && this.#openSteps + this.#openOutputs === 0) {
      if (!this.#isTurn()) return;
      this.#isAnswered = true;
      this.#unread++;
      this.#request.onAnswer(this, this.#isLast());
    }
    if (this.isOver) this.#end();
  }

  onResponse(run: StepRun, response: InferResponse): void {
    this.#request.addTimes(response);
    const isDecoupled = this.#stepOf(run).step.model.isDecoupled;
    if (response.isFinal) {
      this.#request.runEnded(run);
      // Before its answer goes on, which may be the last of the ensemble.
      this.#openSteps--;
    }
    if (this.#request.isAborted) response.release();
    else if (isDecoupled) this.#takePart(run, response);
    else this.#take(run, response);
    if (response.isFinal) this.#stepEnded(run);
  }

  onError(run: StepRun, error: ServerError): void {
    this.#request.stepFailed(run, error);
  }

  onStalled(run: StepRun): boolean {
    return this.#request.onStalled(run);
  }

  onInputsRead(place: number): void {
    for (const tensor of this.#route.steps[place]!.reads) this.sources[tensor]?.unclaim();
  }

  /** No step begins any more, and there will be no answer: only what runs still reads its tensors. */
  abandon(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const pass of this.#passes) pass?.abandon();
    for (let place = 0; place < this.#waits.length; place++) {
      if (this.#waits[place]! >= 0) this.onInputsRead(place);
      this.#waits[place] = -1;
    }
    if (!this.#isAnswered) this.#releaseOutputs();
    this.#isAnswered = true;
    this.#dropDeeper();
    this.#read();
  }

  /** Its answer is not read any more. */
  releaseAnswer(): void {
    this.#releaseOutputs();
    this.#read();
  }

  /** Answers leave in the order of the passes. */
  #isTurn(): boolean {
    const parent = this.#parent;
    return parent === null || (parent.#passes[parent.#firstOpen] === this && parent.#isTurn());
  }

  /** It is the only pass that is not over, and there will be no more. Only where it is its turn. */
  #isLast(): boolean {
    const parent = this.#parent;
    if (parent === null) return true;
    return parent.#openSteps === 0 && parent.#firstOpen === parent.#passes.length - 1 && parent.#isLast();
  }

  /** Nothing comes into it any more. */
  #isClosed(): boolean {
    return this.#isEnded || this.#request.isAborted;
  }

  #releaseOutputs(): void {
    if (this.level < this.#route.depth) return;
    for (const tensor of this.#route.outputs) this.sources[tensor]?.unclaim();
  }

  #read(): void {
    if (--this.#unread > 0) return;
    for (const origin of this.#origins) origin.unclaim();
    if (this.#parent !== null) this.#parent.#read();
  }

  #stepOf(run: StepRun): RouteStep {
    return this.#route.steps[run.place]!;
  }

  #start(place: number): void {
    this.#waits[place] = -1;
    for (const { tensor, optional } of this.#route.steps[place]!.inputs) {
      if (optional || this.sources[tensor] !== null) continue;
      this.#skip(place);
      return;
    }
    this.#request.startStep(new StepRun(this, place));
  }

  /** It lacks an input that it needs: what it would write is missing too. */
  #skip(place: number): void {
    this.onInputsRead(place);
    this.#openSteps--;
    const { step, outputs } = this.#route.steps[place]!;
    if (step.model.isDecoupled) this.#answersEnd(new StepRun(this, place));
    else for (const { tensor } of outputs) this.settle(tensor);
  }

  #take(run: StepRun, response: InferResponse): void {
    const source = new Source(response);
    const { step, outputs } = this.#stepOf(run);
    if (step.model.isDecoupled && !this.#isClosed()) {
      // Else nothing would slow its model down when the client does not read what further steps have made of this.
      source.claim(1);
      this.#origins = [...this.#origins, source];
    }
    for (let nth = 0; nth < outputs.length; nth++) {
      if (!response.hasOutput(nth)) continue;
      const shape = run.outputShapes[nth] ?? response.outputShape(nth);
      this.put(outputs[nth]!.tensor, source, response.outputBegin(nth), response.outputBytes(nth), shape);
    }
    if (!source.isRead) response.release();
    for (let nth = 0; nth < outputs.length; nth++) this.settle(outputs[nth]!.tensor);
  }

  #takePart(run: StepRun, response: InferResponse): void {
    if (response.isEmpty) {
      response.release();
      return;
    }
    const number = run.answers++;
    const pass = this.#passAt(number);
    if (pass === null) {
      response.release();
      return;
    }
    pass.#take(run, response);
    pass.proceed();
  }

  /** Null = it is over: a step behind another decoupled one had nothing to say in it. */
  #passAt(number: number): Flow | null {
    const known = this.#passes[number];
    if (known !== undefined) return known;
    const pass = new Flow(this.#request, this);
    if (this.#passes === NOTHING) this.#passes = [];
    this.#passes[number] = pass;
    pass.#adoptAll(this);
    // Of a step that has ended with fewer answers there is nothing in this one.
    for (const run of this.#ended) if (run.answers <= number) pass.#miss(run.place);
    return pass;
  }

  #miss(place: number): void {
    for (const { tensor } of this.#route.steps[place]!.outputs) this.settle(tensor);
    this.proceed();
  }

  #stepEnded(run: StepRun): void {
    if (this.#request.isAborted) return;
    if (this.#stepOf(run).step.model.isDecoupled) this.#answersEnd(run);
    this.proceed();
  }

  /** A decoupled step answers no more: what it would write in further passes is missing. */
  #answersEnd(run: StepRun): void {
    this.#ended = [...this.#ended, run];
    for (const pass of this.#passes.slice(run.answers)) if (pass !== null) pass.#miss(run.place);
  }

  #adoptAll(parent: Flow): void {
    for (let tensor = 0; tensor < parent.#isSettled.length; tensor++) {
      if (!parent.#isSettled[tensor] || this.#route.levels[tensor]! > parent.level) continue;
      this.#adopt(parent, tensor);
    }
  }

  #adopt(from: Flow, tensor: number): void {
    // Where the pass began while its parent told everybody of the tensor, it hears of it twice.
    if (this.#isSettled[tensor]) return;
    const source = from.sources[tensor]!;
    if (source !== null) this.put(tensor, source, from.begins[tensor]!, from.bytes[tensor]!, from.shapes[tensor]!);
    this.settle(tensor);
  }

  #dropDeeper(): void {
    if (this.level === this.#route.depth) return;
    for (let tensor = 0; tensor < this.sources.length; tensor++) {
      if (this.#pass.isReadDeeper[tensor]) this.sources[tensor]?.unclaim();
    }
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#dropDeeper();
    const parent = this.#parent;
    if (parent === null) this.#request.onOver();
    else parent.#passEnded(this);
    this.#read();
  }

  #passEnded(pass: Flow): void {
    this.#passes[this.#passes.indexOf(pass)] = null;
    while (this.#firstOpen < this.#passes.length && this.#passes[this.#firstOpen] === null) this.#firstOpen++;
    this.#passes[this.#firstOpen]?.proceedAll();
    if (this.isOver) this.#end();
  }

  /** It may have waited for its turn, or one below it. */
  proceedAll(): void {
    this.#passes[this.#firstOpen]?.proceedAll();
    this.proceed();
  }
}
