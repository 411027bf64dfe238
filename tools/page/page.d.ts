// What the server says of itself in its OpenAPI description, for the page's comments: `Schemas["Question"]`.
import type { components } from "./build/api";

declare global {
  type Schemas = components["schemas"];
}
