// The service's operations, one function each.
import { request } from "./http.js";
import { session } from "./session.js";

/** @import { Comment, Exported, Follow, Media, MediaState, MediaUpload, NotificationPage, Page, Post, Profile, SessionEntry, SessionResponse } from "../../types/model.d.ts" */

/**
 * @param {string | null} cursor
 * @param {number} [limit]
 */
function page(cursor, limit) {
  const query = new URLSearchParams();
  if (limit) query.set("limit", String(limit));
  if (cursor) query.set("cursor", cursor);
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** @param {{ handle: string, email: string, password: string, display_name?: string }} body @returns {Promise<SessionResponse>} */
export const register = (body) => request("POST", "/v1/auth/register", { body, isPublic: true });
/** @param {{ handle?: string, email?: string, password: string }} body @returns {Promise<SessionResponse>} */
export const logIn = (body) => request("POST", "/v1/auth/login", { body, isPublic: true });
/** @returns {Promise<void>} */
export const logOut = () =>
  request("POST", "/v1/auth/logout", { body: { refresh_token: session.value?.refresh_token ?? "" } });

/** @param {string} user A user id, `@handle` or `me`. @returns {Promise<Profile>} */
export const profile = (user) => request("GET", `/v1/users/${user}`);
/** @param {{ display_name?: string, bio?: string, avatar_media_id?: string }} body @returns {Promise<Profile>} */
export const editProfile = (body) => request("PATCH", "/v1/users/me", { body });
/** @param {{ current: string, new: string }} body @returns {Promise<void>} */
export const changePassword = (body) => request("PUT", "/v1/users/me/password", { body, tries: 1 });
/** @param {string} password @returns {Promise<void>} */
export const deleteAccount = (password) => request("DELETE", "/v1/users/me", { body: { password }, tries: 1 });
/** @param {string | null} cursor @returns {Promise<Page<SessionEntry>>} */
export const sessions = (cursor) => request("GET", `/v1/users/me/sessions${page(cursor)}`);
/** @param {string} id @returns {Promise<void>} */
export const endSession = (id) => request("DELETE", `/v1/users/me/sessions/${id}`);
/** @param {string | null} cursor @returns {Promise<Page<Exported>>} */
export const exported = (cursor) => request("GET", `/v1/users/me/export${page(cursor, 100)}`);

/** @param {string} user @returns {Promise<void>} */
export const follow = (user) => request("PUT", `/v1/users/${user}/follow`);
/** @param {string} user @returns {Promise<void>} */
export const unfollow = (user) => request("DELETE", `/v1/users/${user}/follow`);
/** @param {string} user @param {"followers" | "following"} list @param {string | null} cursor @returns {Promise<Page<Follow>>} */
export const people = (user, list, cursor) => request("GET", `/v1/users/${user}/${list}${page(cursor, 40)}`);

/** @param {string | null} cursor @returns {Promise<Page<Post>>} */
export const feed = (cursor) => request("GET", `/v1/feed${page(cursor)}`);
/** @param {string} user @param {string | null} cursor @returns {Promise<Page<Post>>} */
export const story = (user, cursor) => request("GET", `/v1/users/${user}/posts${page(cursor)}`);
/** @param {string} id @returns {Promise<Post>} */
export const post = (id) => request("GET", `/v1/posts/${id}`);
/** @param {string} key The Idempotency-Key. @param {{ text: string, media_ids?: string[] }} body @returns {Promise<Post>} */
export const publish = (key, body) => request("POST", "/v1/posts", { body, key });
/** @param {string} id @param {boolean} [keepalive] @returns {Promise<void>} */
export const deletePost = (id, keepalive) => request("DELETE", `/v1/posts/${id}`, { keepalive });

/** @param {string} id @param {boolean} liked @returns {Promise<void>} */
export const setLike = (id, liked) => request(liked ? "PUT" : "DELETE", `/v1/posts/${id}/like`);
/** @param {string} id @param {string | null} cursor @returns {Promise<Page<Comment>>} */
export const comments = (id, cursor) => request("GET", `/v1/posts/${id}/comments${page(cursor)}`);
/** @param {string} id @param {string} text @returns {Promise<Comment>} */
export const comment = (id, text) => request("POST", `/v1/posts/${id}/comments`, { body: { text } });
/** @param {string} id @param {string} comment @param {boolean} [keepalive] @returns {Promise<void>} */
export const deleteComment = (id, comment, keepalive) =>
  request("DELETE", `/v1/posts/${id}/comments/${comment}`, { keepalive });

/** @param {string | null} cursor @returns {Promise<NotificationPage>} */
export const notifications = (cursor) => request("GET", `/v1/notifications${page(cursor)}`);
/** @param {string} up_to @returns {Promise<void>} */
export const markRead = (up_to) => request("PUT", "/v1/notifications/read", { body: { up_to } });

/** @param {{ content_type: string, bytes: number, description?: string }} body @returns {Promise<MediaUpload>} */
export const createMedia = (body) => request("POST", "/v1/media", { body });
/** @param {string} id @returns {Promise<MediaState>} */
export const media = (id) => request("GET", `/v1/media/${id}`);
/** @param {string} id @param {string} description @returns {Promise<Media>} */
export const describeMedia = (id, description) => request("PATCH", `/v1/media/${id}`, { body: { description } });
