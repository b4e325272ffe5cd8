/* Types that the scripts of this folder share. The WebUI loads the .js files only. */

/** One script of this folder, as it registers itself. */
interface StylusFile {
  name: string;
  /** Names of the files that must have started before this one. */
  needs: string[];
  /** Gets what the needed files return, and returns what this file adds. */
  start(stylus: Stylus): Partial<Stylus> | void;
}

interface Window {
  /** Created by the script that runs first; `core.js` adds the functions. */
  stylus?: { files: { push(file: StylusFile): unknown } } & Partial<Stylus>;
  /** The WebUI's translations: English text to the user's language. */
  localization?: Record<string, string>;
}

/* Functions of the WebUI's own script; other hosts may lack them. */
declare var onUiLoaded: ((callback: () => void) => void) | undefined;
declare var onAfterUiUpdate: ((callback: () => void) => void) | undefined;

/* ---- Elements ---- */

type Child = Node | string | number | boolean | null | undefined | Child[];

type Listeners = Record<string, (event: any) => unknown>;

interface ElementProps {
  class?: string;
  on?: Listeners;
  /** `aria-` attributes without their prefix. */
  aria?: Record<string, string | number | boolean>;
  /** `data-` attributes without their prefix. */
  data?: Record<string, string | number | boolean>;
  [attribute: string]: unknown;
}

/** A control with a value. */
type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** Values that replace `{name}` in a text. */
type TextValues = Record<string, string | number>;

/* ---- What the scripts give each other ---- */

/** A section of the Stylus tab; `draw` returns what to do when the section is shown again. */
interface TabSection {
  label: string;
  draw(place: HTMLElement): (() => void) | void;
}

interface Stylus {
  // core.js
  addTexts(texts: Record<string, string>): void;
  hasText(name: string): boolean;
  text(name: string, values?: TextValues): string;
  closeByEscape(element: HTMLElement, close: () => void): void;
  countText(name: string, number: number, values?: TextValues): string;
  el<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    props?: ElementProps,
    ...children: Child[]
  ): HTMLElementTagNameMap[K];
  fill(place: Element, ...children: Child[]): void;
  button(
    label: string,
    act: (event: MouseEvent) => unknown,
    props?: ElementProps,
  ): HTMLButtonElement;
  field(label: string, control: Control, hint?: string): HTMLDivElement;
  select(options: [value: string, label: string][], chosen?: string): HTMLSelectElement;
  debounce(act: () => unknown, wait_ms: number): () => void;
  delay(wait_ms: number): Promise<void>;
  formatSize(bytes: number | null | undefined): string;
  link(url: string, label: string): HTMLElement;
  write(box: Control | null, value: string): void;
  pressUntil(findButton: () => HTMLElement | null, isDone: () => boolean): Promise<void>;
  mount(name: string, draw: (place: HTMLElement) => void): void;
  onPageChange(act: () => void): void;
  whenVisible(place: HTMLElement, act: () => void): void;

  // requests.js
  page: {
    token(renew?: boolean): Promise<string>;
    receive(answer: string): void;
  };
  call<K extends keyof Answers>(
    name: K,
    payload?: object,
    options?: { signal?: AbortSignal },
  ): Promise<Answers[K]>;
  callFile(name: string, payload: object): Promise<Blob>;

  // placeholders.js
  drawPlaceholder(kind?: string): Element;

  // adapter_types.js
  typeName(card: TypedCard | null | undefined): string;
  writtenAs(entry: EntryDetails): string;

  // menus.js
  menuButton(label: string, focus: string, groups: () => MenuGroup[]): HTMLElement;
  askFirst(place: HTMLElement, question: string, label: string, act: () => unknown): void;

  // choices.js
  lastingChoices(panel: PlanPanel, place: ChoicePlace, chosen: Chosen): MenuItem[];
  pageItems(card: PlanCard | null | undefined): MenuItem[];

  // gallery.js
  drawGallery(options: {
    label: string;
    load(
      offset: number,
      limit: number,
      first: boolean,
      signal: AbortSignal,
    ): Promise<{ total: number; entries: Entry[] } | undefined>;
    makeCard(entry: Entry): HTMLButtonElement;
    /** The button beside a card. */
    makeActions(entry: Entry): HTMLButtonElement;
  }): Gallery;

  // chips.js
  chipGroup(name: string, label: string, changed: () => void): ChipGroup;

  // own_marks.js
  starButton(entry: Entry, line: HTMLElement, changed: () => void): HTMLButtonElement;
  ownFields(entry: EntryDetails): { nodes: Child[]; saved(): Promise<unknown> };

  // triggers.js
  drawTriggers(triggers: string[]): Child[];

  // use_history.js
  drawUses(uses: UseHistory | undefined): Child[];

  // probes.js
  drawProbe(probe: Probe | null | undefined): Child[];
  troubleMark(trouble: string | undefined): string;
  measureButton(
    entry: EntryDetails,
    line: HTMLElement,
    changed: (entry: EntryDetails) => void,
  ): HTMLButtonElement;

  // similar.js
  drawSimilar(key: string, open: (key: string) => void): HTMLElement;

  // picture_consent.js
  pictureConsent(
    line: HTMLElement,
    changed: () => void,
  ): { place: HTMLElement; show(isShown: boolean): void };

  // multi_select.js
  multiSelect(line: HTMLElement, redraw: () => void, changed: () => void): MultiSelect;

  // pictures.js
  pictures: {
    frame(card: PictureCard): HTMLElement;
    ownFrame(path: string): HTMLElement;
    release(place: HTMLElement): void;
  };

  // sections.js
  sections: Record<string, TabSection>;
  attempt<T>(line: HTMLElement, work: () => Promise<T>): Promise<T | undefined>;
  say(line: HTMLElement, name: string, values?: TextValues): void;
  sayWords(line: HTMLElement, ...words: Child[]): void;
  statusLine(props?: ElementProps): HTMLElement;

  // job_list.js
  startJob(line: HTMLElement, name: string, payload?: JobPayload): Promise<Job | undefined>;
  followJob(job: Job, progress?: (job: Job) => boolean | void): Promise<Job | null>;
  watchJobs(
    place: HTMLElement,
    line: HTMLElement,
    list: HTMLElement,
    changed: (unfinished: number, ended: Job[]) => void,
  ): void;
  onJobEnd(act: (job: Job) => void): void;
  onJobs(act: (jobs: Job[]) => void): void;
  isUnfinished(job: Job): boolean;
  describeProgress(job: Job): string;
  jobTitle(job: Job): string;

  // job_results.js
  jobResult(job: Job): string[];
  jobNotes(job: Job): string[];
  describeCost(name: "estimated" | "spent", cost: Cost): string;

  // first_steps.js
  makeFirstSteps(where: string): { place: HTMLElement; refresh(): Promise<void> };

  // job_drawer.js
  drawJobDrawer(): { nodes: Node[]; watch(): void };

  // adapter.js
  drawAdapter(place: HTMLElement, entry: EntryDetails, events: AdapterEvents): void;

  // session.js
  session: {
    name(tab: string): string;
    /** Calls `renamed` when this window has to take another name. */
    keepUnique(renamed: () => void): void;
  };

  // plan_view.js
  drawPlan(panel: PlanPanel, view: PlanView): Child[];

  // staleness.js
  surroundings(tab: string): Surroundings;
  difference(tab: string, madeFor: MadeFor, before: Surroundings): string;
  onControlChange(act: () => void): void;

  // dry_run.js
  drawDryRun(panel: PlanPanel): HTMLElement;

  // last_pictures.js
  pictureLine(panel: PlanPanel, tab: string): PictureLine;

  // panel.js
  panel: {
    session(tab: string): string;
    receive(tab: string, answer: string): void;
    refresh(tab: string, info?: string): void;
  };
}

/** The panel of one tab, as the files that draw its parts see it. */
interface PlanPanel {
  /** The panel's status line. */
  line: HTMLElement;
  /** Class names of the lists that the user has opened. */
  open: Set<string>;
  /** Sends an action on this window's preview, and shows the answer. */
  ask(name: PanelAction, payload?: object): Promise<PanelAnswer | null>;
  correct(act: string, key: string, more?: object): Promise<PanelAnswer | null>;
  /** `focus` names the button, so that it keeps the focus when the panel is drawn again. */
  button(
    label: string,
    hint: string,
    focus: string,
    act: (event: MouseEvent) => unknown,
    more?: ElementProps,
  ): HTMLButtonElement;
}

interface Gallery {
  place: HTMLElement;
  reload(toTop: boolean): void;
  redraw(): void;
  focusCard(key: string): boolean;
}

/** One value of a filter, with the number of entries that have it. */
interface Chip {
  value: string;
  title: string;
  count: number;
}

interface ChipGroup {
  place: HTMLElement;
  /** The pressed chip's value; empty where none is pressed. */
  value(): string;
  show(chips: Chip[]): void;
}

interface MultiSelect {
  /** Starts and ends selecting. */
  toggle: HTMLButtonElement;
  bar: HTMLElement;
  isActive(): boolean;
  has(key: string): boolean;
  /** Returns whether the adapter is selected now. */
  flip(key: string): boolean;
}

/** What the editor of one adapter needs of the catalogue. */
interface AdapterEvents {
  kinds: string[];
  changed(): void;
  /** Shows another adapter in place of this one. */
  open(key: string): void;
  closed(): void;
}

/** One item of a menu: a link, or something to do. */
interface MenuItem {
  label: string;
  hint?: string;
  /** For items that can be on or off. */
  checked?: boolean;
  link?: string;
  act?: () => unknown;
}

interface MenuGroup {
  name?: string;
  items: MenuItem[];
}

/** Where a lasting choice asks, and where it says what was done; drawn again with the panel. */
interface ChoicePlace {
  question(): HTMLElement;
  line(): HTMLElement;
}

/** The adapter that a choice is about; `image` is the picture, without one it is the preview. */
interface Chosen {
  key: string;
  name: string;
  state?: AdapterState;
  image?: number;
}

interface Surroundings {
  styles: string;
  checkpoint: string;
}

interface PictureLine {
  place: HTMLElement;
  draw(): void;
  show(used: UsedPicture[]): void;
  begin(info: string): void;
}
