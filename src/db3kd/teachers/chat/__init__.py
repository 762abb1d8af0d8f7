"""A vision model behind a prompt as a teacher, by the chat-completions protocol (OpenAI, vLLM, Ollama, ...)."""

from db3kd.teachers.chat.prompt import Prompt
from db3kd.teachers.chat.teacher import ChatOptions, ChatTeacher

__all__ = ["ChatOptions", "ChatTeacher", "Prompt"]
