// The shapes that the client works with, by short names.
import type { components } from "./api.d.ts";

type Schemas = components["schemas"];

export type User = Schemas["User"];
export type Profile = Schemas["Profile"];
export type Comment = Schemas["Comment"];
export type Follow = Schemas["Follow"];
export type Like = Schemas["Like"];
export type SessionEntry = Schemas["Session"];
export type SessionResponse = Schemas["SessionResponse"];
export type Tokens = Schemas["TokensResponse"];
export type Notice = Schemas["PageShape_Notification"]["items"][number];
export type NotificationPage = Schemas["NotificationPage"];
export type Exported = Schemas["Exported"];

/** A picture of a post. The service's description gains the members beyond `media_id` together with the upload. */
export type Media = {
  media_id: string;
  width?: number;
  height?: number;
  blurhash?: string;
  description?: string;
  urls?: { original: string; medium: string; thumbnail: string };
};
export type Post = Omit<Schemas["Post"], "media"> & { media: Media[] };
export type MediaUpload = {
  media_id: string;
  upload: { method: string; url: string; headers: Record<string, string>; expires_at: string };
};
export type MediaState = Media & { state: "awaiting_upload" | "processing" | "ready" | "rejected"; reason?: string };

/** One page of a list. */
export type Page<T> = { items: T[]; next_cursor: string | null };

/** The tokens of this browser, as stored. Times are in milliseconds of the local clock. */
export type Session = {
  user_id: string;
  handle: string;
  access_token: string;
  refresh_token: string;
  expires_at: number;
};

/** A post that the service has not confirmed. */
export type Outgoing = {
  key: string;
  text: string;
  media: { media_id: string; description: string }[];
  created_at: string;
  state: "sending" | "waiting" | "failed";
  reason?: string;
  retry_at?: number;
};
