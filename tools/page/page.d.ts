// The types that the page's modules share. What the server sends is typed by its own OpenAPI description.
import type { components } from "./build/api";

declare global {
  type Schemas = components["schemas"];
  type Decision = Schemas["Decision"];
  type Outcome = Schemas["Decided"];
  type Recording = Schemas["Timeline"];
  type OnScreen = Recording["people"][0];
  type Time = OnScreen["intervals"][0];

  /** seen: the revision that was on show. */
  type Send = (path: string, body: object, seen?: number | null) => Promise<Outcome>;
  type Again = (decision?: number, together?: boolean) => Promise<Outcome | null>;
  /** words: what is said of so many that were made; progress: is told how many were made until now. */
  type DecideTogether = (
    bodies: ({ path?: string } & Record<string, unknown>)[],
    seen: number | null,
    words: (taken: number) => string,
    progress?: (taken: number) => void,
  ) => Promise<number>;
  type Deed = { kind: string } & Record<string, unknown>;
  type Decide = (body: Deed | ((seen?: number | null) => Promise<Deed | false>), seen?: number | null) => Promise<Outcome | null>;

  type Handlers = { [K in keyof HTMLElementEventMap as `on${K}`]?: (event: HTMLElementEventMap[K] & { target: any; currentTarget: any }) => unknown };
  /** props: attributes; `class`, `text`, and handlers such as `onclick` too. */
  type MakeElement = <K extends keyof HTMLElementTagNameMap>(
    tag: K,
    props?: Handlers & Record<string, unknown>,
    ...children: (Node | string | null | undefined | false | 0)[]
  ) => HTMLElementTagNameMap[K];
  type ButtonOptions = { key?: string; onclick?: (event: Event) => void; primary?: boolean; class?: string; attrs?: object };
  type MakeButton = (words: string, options: ButtonOptions) => HTMLButtonElement;
  /** kind: its class. */
  type OpenDialog = (title: string, body: (Node | string)[], foot: Node[], kind?: string) => Promise<FormData | null>;
  type Toast = (words: string, action?: Act | Act[], how?: { stays?: boolean }) => void;
  /** about: whom is not asked for; faces: of whom, if not of that person. Without a person: a new one with this name, if any. */
  type AskPerson = (
    title: string,
    about: { person?: number; faces?: number[]; allowNew?: boolean },
  ) => Promise<{ person?: number; name?: string } | null>;
  type KeepName = (person: any, name: string, seen: number | null, nobodys: boolean, again: () => void, quick: boolean) => Promise<void>;

  /** A page of the site. snapshot: what it needs to come back as it was; placeOf: how far down that was; reopen: what was open over it. */
  interface Page {
    snapshot?: () => object;
    placeOf?: (restore: any) => number | null;
    reopen?: (restore: any) => void;
  }

  /** restore: a snapshot, if the page comes back; signal: aborted when somebody leaves. */
  interface Visit {
    params: string[];
    query: URLSearchParams;
    restore: any;
    signal: AbortSignal;
  }
  type Mount = (root: HTMLElement, visit: Visit) => Page;

  /** keys: "n", "Mod+z" (Ctrl or ⌘), "Shift+/", "g p" (one after the other). anywhere: also while a dialog is open. */
  interface Binding {
    keys: string[];
    words: string;
    run: (event: KeyboardEvent) => void;
    anywhere?: boolean;
  }

  /** What a button or a key does. */
  interface Act {
    words: string;
    key?: string;
    run: () => unknown;
    primary?: boolean;
  }

  /** What can be done with rows of a list. kind: of the decision about faces, and person: whom it is about; or run: resolves to something if it was done; files: it is about files without a face. */
  interface RowAct {
    words: string;
    key: string;
    kind?: string;
    person?: number;
    run?: (ids: number[]) => Promise<unknown>;
    able?: (picked: number) => boolean;
    files?: boolean;
    primary?: boolean;
  }

  interface FaceAct {
    words: string;
    key: string;
    run: (face: number) => void;
  }

  /** A face's picture that is open. again: shows what is now at this place of the list. */
  interface FaceView {
    close: () => void;
    again: () => void;
    at: () => number;
  }

  interface FaceViewOptions {
    index: number;
    total: () => number;
    /** The face at a place of the list, null for a file without one. */
    faceAt: (index: number) => Promise<number | null>;
    /** Until the list is known. */
    ready?: Promise<void>;
    acts: FaceAct[];
    onClose?: (index: number) => void;
  }

  /** Somebody in a list of people. probability: that it is who is meant. */
  type Known = Schemas["NamedPerson"] & { probability?: number | null };

  interface NameFieldOptions {
    person: any;
    seen: () => number | null;
    /** Opens it once more, with what was typed. */
    again: () => void;
    /** to: where the focus goes; said: whether anything was. */
    done: (result: { merged?: number; to: "here" | "next" | "before" | "elsewhere"; said?: boolean }) => void;
    /** A name that somebody has merges with them without a question, and Enter goes on to the next. */
    quick?: boolean;
    /** Whether it takes the focus. */
    focus?: boolean;
  }

  /** minWidth: of a cell; ratio: height of its picture to its width; extra: pixels below the picture. */
  interface Shape {
    minWidth: number;
    gap: number;
    ratio: number;
    extra: number;
  }

  /** How the cells of a grid are made. fill: returns what a cell is called; shapes: in a wide window and in a narrow one; tier: 0 on screen, 1 beyond. */
  interface Cells {
    idOf: (row: any) => number;
    shapes: Shape[];
    create: () => HTMLElement;
    fill: (cell: HTMLElement, row: any, how: { tier: number; selected: boolean }) => string;
  }

  interface GridOptions {
    label: string;
    shapes: Shape[];
    /** Cells to show before their number is known. */
    guess: number;
    create: () => HTMLElement;
    fill: (cell: HTMLElement, index: number, tier: number) => void;
    onRange: (first: number, last: number) => void;
    onMove: (index: number, event: KeyboardEvent, from: number) => void;
    onFocus: (index: number) => void;
  }

  /** take: what is dragged of an element, by id; offer: people to drop it on; drop: person 0 is a new one. */
  interface DragHandlers {
    take: (target: EventTarget | null) => number[];
    offer: (ids: number[]) => Promise<any[]>;
    drop: (ids: number[], person: number) => void;
  }

  interface ListGridOptions {
    label: string;
    cells: Cells;
    /** Of the list, below /api. */
    path: string;
    query?: () => Record<string, string>;
    /** The person whose faces they are. */
    whose?: number;
    /** Rows a page. */
    size?: number;
    guess?: number;
    /** What can be done with what is selected or has the focus, and of a person's faces in their picture, too. */
    acts: RowAct[];
    /** What else keys do. */
    keys?: Binding[];
    /** How rows are told. */
    noun: string[];
    /** What opens a row, with a plain click too; else a double click shows a face's picture, and a frame can be pulled. */
    open?: (index: number) => void;
    /** What is said instead, if there are no rows worth showing. */
    empty?: () => Node | false;
    onChange?: () => void;
    /** Asks for everything again, after a decision or an error. */
    renew?: () => unknown;
    /** Called if the server has no such list. */
    gone?: (error: any) => void;
  }

  interface EndlessOptions {
    /** Entries a page. */
    size: number;
    query?: Record<string, string>;
    /** What their rows are put into. */
    list: HTMLElement;
    row: (entry: any) => HTMLElement;
    /** What stands above the first of several entries that have it in common. */
    group?: (entry: any) => string;
    /** What is said of none. */
    empty: () => HTMLElement;
  }

  type Endless = (
    path: string,
    visit: Visit,
    options: EndlessOptions,
  ) => { end: HTMLElement; start: () => void; snapshot: () => object };

  interface PagedListOptions {
    load: (offset: number, limit: number, signal: AbortSignal) => Promise<{ total: number; items: any[]; revision: number }>;
    /** Rows a page. */
    size?: number;
    onChange: () => void;
    onError: (error: any) => void;
  }

  type Look = (faces: Omit<FaceViewOptions, "acts">) => void;

  /** Told of the press that begins a rectangle, it returns what is told of the rectangle as it is pulled. */
  type TakeBand = (pressed: PointerEvent) => (box: { left: number; top: number; right: number; bottom: number }) => void;

  /** only: who is the only one left of what was typed is marked. */
  interface SuggestionOptions {
    find: (text: string) => Promise<Known[]>;
    pick: (person: Known) => void;
    label: string;
    only?: boolean;
  }

  type PersonTimes = (
    id: number,
    signal: AbortSignal,
    open: (faces: number[], at: number) => void,
  ) => { element: HTMLElement; load: () => Promise<void>; again: () => void };
  /** barOf: makes the link or button that a bar is, "0:03.2 to 0:11.8, 8.6 seconds". */
  type LaneOptions = { duration: number; label: string; barOf: (index: number, words: string) => HTMLElement };
  type RecordingView = (
    recording: Recording,
    zooms: Map<number, number>,
    onclick: (event: MouseEvent, recording: Recording, ruler: DOMRect) => void,
  ) => { element: HTMLElement; point: (seconds: number) => void };
}
