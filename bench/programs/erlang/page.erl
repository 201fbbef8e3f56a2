%% SPDX-License-Identifier: MIT
-module(page).
-export([do/1]).

do(_) ->
    Body = "<!doctype html>\n<title>httpd</title>\n<h1>Version 0</h1>\n",
    {proceed, [{response, {200, Body}}]}.
