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

export type Media = Schemas["Media"];
export type MediaUpload = Schemas["AnnounceMediaResponse"];
export type MediaState = Schemas["MediaProgress"];
export type Post = Schemas["Post"];

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
