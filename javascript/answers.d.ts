/* What the WebUI answers at /stylus/v1/ui/<name>, as far as the page reads it. */

type PanelAction =
  "preview" | "correct" | "recall" | "lock" | "use_set" | "send" | "take_back" | "mark" | "wrong";

type Answers = Record<PanelAction, PanelAnswer> & {
  apply_recipe: { prompt: string; negative: string; used: string[] };
  browse: { total: number; entries: Entry[]; counts?: BrowseCounts };
  cancel: Job;
  captions: {
    interrogators: Interrogator[];
    counts?: { adapters: number; pictures: number; known: number; pictureless: number };
  };
  card_pictures: { on: boolean; by_settings: boolean };
  choose: { family: string; adapters: RecipeAdapter[]; notes: Note[] };
  edit: { entry: EntryDetails };
  first_steps: { steps: FirstStep[] };
  job: Job;
  jobs: { jobs: Job[] };
  mark_all: { changed: number };
  keys: { message: string; keys: Key[] };
  overview: Overview;
  recipes: { message?: string; recipes: SavedRecipe[] };
  rehearse: Job;
  show: { entry: EntryDetails };
  similar: { entries: Entry[] };
  start: Job;
  status: EngineStatus;
  storage: DownloadStorage;
  wake: EngineStatus;
};

type AdapterState = "auto" | "always" | "never";

interface Interrogator {
  title: string;
  /** What the WebUI fetches at first use; null if it is there. */
  download: { mb: number; site: string; also: string } | null;
}

interface Note {
  text: string;
}

interface PictureCard {
  key: string;
  name?: string;
  stem?: string | null;
  picture?: boolean;
  nsfw?: boolean;
  kind?: string;
}

interface TypedCard {
  type?: "lora" | "embedding" | "hypernetwork" | "styleinject";
  /** An embedding for the negative prompt. */
  negative?: boolean;
}

interface Entry extends PictureCard, TypedCard {
  name: string;
  family: string;
  family_name?: string;
  kind: string;
  state: AdapterState;
  favourite?: boolean;
  /** What a probe found wrong. */
  trouble?: Probe["trouble"];
  size?: number | null;
}

/** The user's edits of an entry; null where there is none. */
interface Edits {
  text: string | null;
  triggers: string[] | null;
  weight: number | null;
  kind: string | null;
  state: AdapterState | null;
  favourite: boolean;
  note: string | null;
  tags: string[] | null;
}

interface Probe {
  strength: number;
  consistency: number;
  breaks_at: number | null;
  weight: number | null;
  trouble: "" | "broken" | "failed" | "no_effect";
  checkpoint: string;
  made: string;
}

interface EntryDetails extends Entry {
  probe?: Probe | null;
  text: string;
  triggers: string[];
  weight: number | null;
  edits: Edits;
  /** The edits before the last change; set by the page. */
  before?: Edits;
  remote?: unknown;
  version?: string;
  creator?: string;
  base_model?: string;
  source?: string;
  described_by?: string;
  downloads?: number;
  tags: string[];
  negative_text?: string;
  licence?: string;
  files: { path: string }[];
  link?: string;
  examples: { prompt: string }[];
  uses?: UseHistory;
}

/** The user's pictures that an adapter was used in. */
interface UseHistory {
  pictures: number;
  /** Most frequent first. */
  weights: { weight: number; pictures: number }[];
  /** Newest first; `made` is in seconds since 1970. */
  newest: { path: string; made: number; weight: number }[];
}

/** How many entries each filter would leave. */
interface BrowseCounts {
  families: { family: string; name: string; entries: number }[];
  kinds: Record<string, number>;
  types: Record<string, number>;
  states: Record<string, number>;
  on_disk: number;
  bare: number;
  refined: number;
  favourites: number;
  unused: number;
}

interface Overview {
  families: { family: string; name: string; entries: number; on_disk: number }[];
  kinds: Record<string, number>;
  unnamed: number;
  bare: number;
  duplicates: number;
  refined: number;
  entries: number;
}

interface FirstStep {
  name: string;
  state: "to_do" | "done" | "skipped";
  count: number | null;
  text: string;
}

interface Cost {
  tokens_in: number;
  tokens_out: number;
  /** In dollars; null where the price is unknown. */
  cost: number | null;
}

interface JobPayload {
  learn?: boolean;
  [name: string]: unknown;
}

interface Job {
  id: string;
  name: string;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  step: string;
  done: number;
  total: number | null;
  eta_s: number | null;
  error: string;
  log?: { after_s: number; text: string }[];
  /** Depends on the job's name. */
  result: any;
}

interface RecipeAdapter {
  key: string;
  weight: number;
  name: string;
  stem: string;
}

interface Recipe {
  name: string;
  prompt: string;
  negative: string;
  family: string;
  adapters: RecipeAdapter[];
}

interface SavedRecipe extends Recipe {
  on_disk: string[];
  alike: number | null;
}

interface DownloadedFile {
  key: string;
  name: string;
  size: number;
  /** Seconds since 1970. */
  fetched: number;
  used: number;
  path: string;
}

interface DownloadStorage {
  on: boolean;
  used: number;
  quota: number;
  left: number;
  files: DownloadedFile[];
}

interface Key {
  service: string;
  title: string;
  url: string;
  has_key: boolean;
}

interface EngineStatus {
  version: string;
  trouble: string;
  lora_folders: string[];
  setting_problems: string[];
  engine: {
    state: string;
    sentence: string;
    url: string;
    pid: number | null;
    shared: boolean;
  };
  /** What the engine says of itself; null until it answers. */
  engine_status: null | {
    data_folder: string;
    encoder: string;
    vectors: string;
    catalogue: { entries: number; on_disk: number; in_step: boolean };
    capabilities: { composers: string[]; downloads: boolean; operations: string[] };
    leaves_the_machine: string[];
    leaves_on_request: string[];
    notes: Note[];
  };
}

/* ---- The panel ---- */

interface PlanCard extends PictureCard, TypedCard {
  family_name?: string;
  link?: string;
  state?: AdapterState;
}

interface PlanPick {
  key: string;
  name: string;
  task: number;
  reason: string;
  pinned: boolean;
  kept: boolean;
  weight: number;
  kind: string;
  stem: string;
  /** The weight before the limit on their sum; null where that changed nothing. */
  lowered_from: number | null;
  triggers: string[];
  /** Points of time and weight, for a LoRA that does not act in all steps. */
  schedule: [number, number][];
  on_disk: boolean;
  to_download: number;
  card?: PlanCard | null;
}

interface NearMiss {
  key: string;
  name: string;
  reason: string;
  /** True where the user removed it. */
  mine: boolean;
  card?: PlanCard | null;
}

interface PlanView {
  /** The resulting prompt. */
  pieces: { text: string; added: boolean; unresolved: boolean }[];
  negative_added: string;
  tasks: { text: string; start: number; taken_by: string | null; picks: string[] }[];
  /** The highest sum of all weights; 0 is no limit. */
  cap: number;
  picks: PlanPick[];
  near: NearMiss[];
  combinations: string[][];
  batches: number;
  exact: boolean;
  prompt: string;
  family_name: string;
  notes: string[];
}

interface UsedPicture {
  seed: number;
  off: string[];
  tags: { stem: string; weight: number; key: string; name: string; card?: PlanCard | null }[];
}

type MadeFor = Record<string, string | number | boolean>;

interface PanelAnswer {
  number: number;
  view: PlanView | null;
  /** What the view was made for, by the names of the controls. */
  made_for: MadeFor | null;
  /** True if another checkpoint's family is loaded since. */
  other_model: boolean;
  corrected: boolean;
  lock: { key: string; name: string; weight: number }[] | null;
  sent: boolean;
  /** The prompt with what was written into it. */
  sent_prompt: string | null;
  used: UsedPicture[];
  /** The new prompt, where one was asked for. */
  text?: string;
}

/** One row of a dry run: a prompt, its LoRAs then and now. */
interface DryRunRow {
  prompt: string;
  picture: string;
  same: boolean;
  used: { name: string; weight: number | null }[];
  picks: { name: string; weight: number | null; reason: string; off: boolean }[];
}
